"""Only our own names are answered to."""

import pytest

from service.web.hosts import Hosts
from service.web.problems import ProblemError

HOSTS = Hosts(public_url="https://Warn.example:8443/x", bound="10.1.2.3", further=["alt.example"])


@pytest.mark.parametrize(
    "host",
    [
        "warn.example",
        "WARN.example:443",
        "warn.example.",
        "localhost:8080",
        "127.0.0.1",
        "[::1]:80",
        "10.1.2.3:8080",
        "alt.example",
    ],
)
def test_own_names_are_known_however_they_are_written(host: str) -> None:
    HOSTS.check(host)


@pytest.mark.parametrize(
    "host",
    [
        None,
        "",
        "evil.example",
        "warn.example.evil.example",
        "warn.example@evil.example",
        "evil:80:80",
        "warn.example evil",
        "[::1",
        "127.0.0.2",
        "warn.example/",
        "xwarn.example",
    ],
)
def test_strangers_are_misdirected(host: str | None) -> None:
    with pytest.raises(ProblemError) as refused:
        HOSTS.check(host)

    assert refused.value.problem.status == 421
