"""Addresses that were looked at before are read quickly, and no otherwise than slowly."""

from contextlib import suppress

from hypothesis import example, given, settings
from hypothesis import strategies as st

from channels._shared.smtp_address import Addresses, normal_address
from kentongan.channel import AddressError

#: Letters that addresses have, and letters that would end one, a command or a header.
LETTERS = st.sampled_from([*"abZ019.-_+@<>\"'()[],:; \t\r\n\0é=%", "postmaster", "xn--", "\u017f"])
LOCALS = st.lists(LETTERS, max_size=12).map("".join) | st.integers(60, 70).map(lambda n: "a" * n)
DOMAINS = st.sampled_from(
    ["example.id", "Example.id", "corp.test", "xn--bcher-kva.example", "bücher.example", "local",
     "a..id", "a." * 100 + "id", "example.id\r\nRCPT TO:<x@y.id>", "example.id.", "1.2.3.4"]
)  # fmt: skip


def outcome(read: object, address: str) -> str | None:
    assert callable(read)
    try:
        return str(read(address))
    except AddressError:
        return None


@settings(deadline=None)
@given(local=LOCALS, domain=DOMAINS)
@example(local="Postmaster", domain="example.id")
@example(local="a\n", domain="example.id")
@example(local="a" * 64, domain="a." * 93 + "example.id")
@example(local="a" * 64, domain="a." * 94 + "example.id")
def test_domain_that_is_known_changes_nothing_about_what_is_taken(local: str, domain: str) -> None:
    addresses = Addresses()
    for known in ("siti", "budi"):
        with suppress(AddressError):
            addresses.read(f"{known}@{domain}")

    address = f"{local}@{domain}"

    assert outcome(addresses.read, address) == outcome(normal_address, address)
