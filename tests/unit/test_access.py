"""The table of who may do what, and addresses shown without being given away."""

import pytest

from kentongan.access import MAY, Act, Extent, Role, extent_of, masked


def test_every_act_has_an_answer_for_an_admin() -> None:
    assert set(MAY) == set(Act)
    assert all(extent_of(Role.ADMIN, act) is Extent.ALL for act in Act)


@pytest.mark.parametrize(
    ("role", "act", "extent"),
    [
        (Role.OFFICER, Act.MAKE_ALERT, Extent.ALL),
        (Role.OFFICER, Act.MANAGE_KEYS, None),
        (Role.OFFICER, Act.READ_AUDIT, None),
        (Role.INTEGRATION, Act.MAKE_ALERT, Extent.OWN),
        (Role.INTEGRATION, Act.READ_ALERT, Extent.OWN),
        (Role.INTEGRATION, Act.READ_PEOPLE, None),
        (Role.AUDITOR, Act.MAKE_ALERT, None),
        (Role.AUDITOR, Act.READ_ALERT, Extent.MASKED),
        (Role.AUDITOR, Act.WRITE_PEOPLE, None),
        (Role.AUDITOR, Act.READ_AUDIT, Extent.ALL),
    ],
)
def test_role_reaches_as_far_as_designed(role: Role, act: Act, extent: Extent | None) -> None:
    assert extent_of(role, act) is extent


@pytest.mark.parametrize(
    ("address", "shown"),
    [
        ("+6281234567890", "+62…90"),
        ("siti@example.org", "s…@example.org"),
        ("https://hooks.example/t/secret-part", "https://hooks.example/…"),
        ("https://hooks.example/t/@secret-part", "https://hooks.example/…"),
        ("https://hooks.example?token=secret", "https://hooks.example/…"),
        ("https://user:pass@hooks.example:8443/x", "https://hooks.example:8443/…"),
        ('"a@b"@example.org', '"…@example.org'),
        ("12345", "…"),
    ],
)
def test_masked_address_is_recognised_and_of_no_use(address: str, shown: str) -> None:
    assert masked(address) == shown
