"""Webhooks cannot be turned against our own network, however its addresses are written."""

import socket
from collections.abc import Sequence
from ipaddress import ip_address

import aiohttp
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from hypothesis import given
from hypothesis import strategies as st
from typing_extensions import override

from channels._shared.allowed import Allowed
from channels._shared.guard import BLOCKED, BlockedHostError, GuardedConnector
from channels._shared.reach import Reach, reach_of
from channels._shared.receiver_url import BlockedUrlError, receiver_url
from channels.webhook import Webhook, WebhookSettings
from kentongan.channel import AddressError
from kentongan.outcome import Accepted, Deferred, Outcome, Reason, Refused
from tests.fakes import servers
from tests.fakes.channels import CountingGate, deployment, envelope, wording

# ruff: noqa: RUF001 - characters that look like digits and full stops are the point

#: Ways to write loopback, in every part of the host's grammar that some resolver once read.
SPELLINGS = (
    # IPv4, as it is and as inet_aton reads it: decimal, octal, hexadecimal, mixed, short
    "127.0.0.1",
    "127.0.0.1.",
    "127.1",
    "127.0.1",
    "127.000.000.001",
    "0127.0.0.1",
    "0177.0.0.1",
    "0177.0.0.01",
    "0177.1",
    "017700000001",
    "0x7f.0.0.1",
    "0x7f.0x0.0x0.0x1",
    "0X7F.1",
    "0x7f000001",
    "0x7F000001",
    "0x0000007f000001",
    "2130706433",
    "02130706433",
    "127.0.0x1",
    "127.0.0.01",
    "127.0.0.0x1",
    "4294967296.1",
    "6425673729",
    "127.0.0.1.1",
    # all of loopback, and addresses that lead there
    "127.0.0.2",
    "127.127.127.127",
    "127.255.255.254",
    "0.0.0.0",
    "0",
    "0.0",
    "0x0",
    "0.0.0.0.",
    # IPv6, with IPv4 inside
    "[::1]",
    "[0:0:0:0:0:0:0:1]",
    "[0000:0000:0000:0000:0000:0000:0000:0001]",
    "[::0001]",
    "[::1%25lo]",
    "[::1%lo]",
    "[::]",
    "[::ffff:127.0.0.1]",
    "[::ffff:7f00:1]",
    "[0:0:0:0:0:ffff:127.0.0.1]",
    "[::FFFF:7F00:0001]",
    "[::127.0.0.1]",
    "[::7f00:1]",
    "[64:ff9b::127.0.0.1]",
    "[64:ff9b::7f00:1]",
    "[64:ff9b:1::7f00:1]",
    "[2002:7f00:1::]",
    "[2002:7f00:0001::1]",
    "[2001:0:7f00:1::]",
    "[2001::80ff:fffe]",
    "[fec0::1]",
    "[fd00::1]",
    "[fe80::5efe:7f00:1]",
    "[::ffff:0:127.0.0.1]",
    # digits, full stops and letters that IDNA folds
    "①②⑦.⓪.⓪.①",
    "１２７.０.０.１",
    "127。0。0。1",
    "127．0．0．1",
    "127｡0｡0｡1",
    "𝟏𝟐𝟕.𝟎.𝟎.𝟏",
    "１２７。０。０。１",
    "ⓛⓞⓒⓐⓛⓗⓞⓢⓣ",
    # escapes, user names, odd ends
    "%31%32%37.0.0.1",
    "127%2e0%2e0%2e1",
    "%6cocalhost",
    "example.org@127.0.0.1",
    "user:secret@127.0.0.1",
    "example.org%40127.0.0.1",
    "127.0.0.1\\@example.org",
    "127.0.0.1\t",
    " 127.0.0.1",
    # names
    "localhost",
    "LOCALHOST",
    "localhost.",
    "LocalHost.",
    "ip6-localhost",
    "a.localhost",
    "localhost.localdomain",
)


class Rebinding(AbstractResolver):
    """Gives each look-up the next answer, the last one for ever."""

    def __init__(self, *answers: Sequence[str]) -> None:
        self._answers = list(answers)
        self.asked = 0

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        addresses = self._answers[min(self.asked, len(self._answers) - 1)]
        self.asked += 1
        return [
            ResolveResult(
                hostname=host, host=each, port=port, family=socket.AF_INET, proto=0, flags=0
            )
            for each in addresses
        ]

    @override
    async def close(self) -> None:
        """Nothing to give back."""


def made(*allow: str, resolver: AbstractResolver | None = None) -> Webhook:
    channel = Webhook(WebhookSettings(allow=list(allow), timeout=5), deployment())
    channel.resolver = resolver
    return channel


async def sent(channel: Webhook, url: str) -> Outcome:
    try:
        return await channel.send(channel.prepare(wording()), envelope(url), CountingGate())
    finally:
        await channel.close()


def test_there_are_enough_spellings() -> None:
    assert len(set(SPELLINGS)) >= 60


@pytest.mark.parametrize("spelling", SPELLINGS)
@pytest.mark.parametrize("scheme", ["http", "https"])
async def test_no_spelling_of_loopback_is_kept_or_called(scheme: str, spelling: str) -> None:
    channel = made(resolver=Rebinding(["127.0.0.1"]))  # every name leads there
    async with servers.serving(servers.hang_up) as heard:
        url = f"{scheme}://{spelling}:{heard.port}/hook"

        outcome = await sent(channel, url)

        if spelling != "localhost.localdomain":  # a name like any other, until it is looked up
            with pytest.raises(AddressError):
                channel.check(url)
    assert heard.connections == 0
    assert not isinstance(outcome, Accepted)


@pytest.mark.parametrize("spelling", SPELLINGS)
async def test_socket_is_guarded_even_if_no_url_was_ever_checked(spelling: str) -> None:
    connector = GuardedConnector(
        Allowed(), limit=1, limit_per_host=1, resolver=Rebinding(["127.0.0.1"])
    )
    async with (
        servers.serving(servers.hang_up) as heard,
        aiohttp.ClientSession(connector=connector) as session,
    ):
        with pytest.raises((aiohttp.ClientError, ValueError)):
            await session.get(f"http://{spelling}:{heard.port}/", allow_redirects=False)

    assert heard.connections == 0


async def test_ipv6_loopback_hears_nothing_either() -> None:
    try:
        async with servers.serving(servers.hang_up, host="::1") as heard:
            outcome = await sent(
                made(resolver=Rebinding(["::1"])), f"https://a.example:{heard.port}/"
            )
    except OSError:
        pytest.skip("this machine has no IPv6 loopback")

    assert heard.connections == 0
    assert outcome == Refused(Reason.BLOCKED_HOST, BLOCKED)


# --- names


async def test_name_that_leads_to_a_private_address_is_blocked_at_the_socket() -> None:
    async with servers.serving(servers.hang_up) as heard:
        channel = made(resolver=Rebinding(["127.0.0.1"]))
        url = f"https://innocent.example:{heard.port}/"

        assert channel.check(url) == url
        outcome = await sent(channel, url)

    assert outcome == Refused(Reason.BLOCKED_HOST, BLOCKED)
    assert heard.connections == 0


async def test_name_that_changes_its_address_after_a_first_look_is_blocked() -> None:
    resolver = Rebinding(["192.0.2.1"], ["127.0.0.1"])
    await resolver.resolve("rebinding.example")  # as a check before the connection would have done

    async with servers.serving(servers.hang_up) as heard:
        outcome = await sent(made(resolver=resolver), f"https://rebinding.example:{heard.port}/")

    assert outcome == Refused(Reason.BLOCKED_HOST, BLOCKED)
    assert heard.connections == 0


async def test_address_is_looked_up_anew_for_each_connection() -> None:
    resolver = Rebinding(["127.0.0.1"], ["127.0.0.2"])
    async with servers.serving(servers.saying(b"")) as heard:
        channel = made(f"127.0.0.1:{heard.port}", "changing.example", resolver=resolver)
        prepared = channel.prepare(wording())
        to = envelope(f"http://changing.example:{heard.port}/")

        first = await channel.send(prepared, to, CountingGate())
        second = await channel.send(prepared, to, CountingGate())
        await channel.close()

    assert isinstance(first, Deferred)
    assert isinstance(second, Deferred)
    assert resolver.asked == 2


async def test_of_mixed_answers_the_private_one_is_never_called() -> None:
    async with servers.serving(servers.hang_up) as heard:
        resolver = Rebinding(["127.0.0.1", "127.0.0.2", "10.0.0.1"])
        outcome = await sent(made(resolver=resolver), f"https://mixed.example:{heard.port}/")

    assert isinstance(outcome, Refused)
    assert heard.connections == 0


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
async def test_redirect_is_not_followed(status: int) -> None:
    async with servers.serving(servers.hang_up) as inside:
        redirect = servers.answering(status, f"Location: http://127.0.0.1:{inside.port}/\r\n")
        async with servers.serving(redirect) as outside:
            outcome = await sent(made(f"127.0.0.1:{outside.port}"), f"{outside.url}/")

    assert isinstance(outcome, Refused)
    assert outcome.reason is Reason.REJECTED
    assert "redirects are not followed" in outcome.detail
    assert inside.connections == 0


async def test_refusal_says_the_same_whether_or_not_somebody_listens() -> None:
    async with servers.serving(servers.answering(200)) as heard:
        there = await sent(
            made(resolver=Rebinding(["127.0.0.1"])), f"https://a.example:{heard.port}/"
        )
    away = await sent(
        made(resolver=Rebinding(["127.0.0.1"])), f"https://a.example:{servers.closed_port()}/"
    )

    assert there == away


# --- what the operator allows


@pytest.mark.parametrize(
    "entry",
    ["127.0.0.1", "127.0.0.1:{port}", "127.0.0.0/8", "127.0.0.0/8:{port}", "0.0.0.0/0"],
)
async def test_allowed_network_is_called_over_http(entry: str) -> None:
    async with servers.serving(servers.answering(200)) as heard:
        outcome = await sent(made(entry.format(port=heard.port)), f"{heard.url}/hook")

    assert isinstance(outcome, Accepted)


async def test_allowed_name_is_called_wherever_it_is() -> None:
    async with servers.serving(servers.answering(200)) as heard:
        channel = made(f"hooks.internal:{heard.port}", resolver=Rebinding(["127.0.0.1"]))
        outcome = await sent(channel, f"http://hooks.internal:{heard.port}/")

    assert isinstance(outcome, Accepted)


@pytest.mark.parametrize(
    "entry", ["127.0.0.1:1", "127.0.0.2", "10.0.0.0/8", "other.internal", "[::1]"]
)
async def test_leave_for_one_is_no_leave_for_another(entry: str) -> None:
    async with servers.serving(servers.answering(200)) as heard:
        outcome = await sent(made(entry), f"https://127.0.0.1:{heard.port}/")

    assert outcome == Refused(Reason.BLOCKED_HOST, BLOCKED)
    assert heard.connections == 0


@pytest.mark.parametrize(
    "address",
    [
        "169.254.169.254",
        "169.254.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "fe80::1",
        "febf::1",
        "fd00:ec2::254",
        "::ffff:169.254.169.254",
        "64:ff9b::a9fe:a9fe",
        "2002:a9fe:a9fe::",
        "2001:0:a9fe:a9fe::",
        "::169.254.169.254",
        "2001:4860::5efe:169.254.169.254",
    ],
)
def test_metadata_is_never_allowed(address: str) -> None:
    everything = Allowed.parse(["0.0.0.0/0", "::/0", "metadata.internal"])

    assert not everything.permits("metadata.internal", ip_address(address), 80)


@pytest.mark.parametrize(
    "entry",
    [
        "169.254.169.254",
        "169.254.0.0/16:80",
        "fe80::/64",
        "[fd00:ec2::254]:80",
        "http://hooks.internal",
        "hooks.internal:0",
        "hooks.internal:99999",
        "hooks.internal/x",
        "10.1.0.0/40",
        "10.1.0.1/16",
        "127.1",
        "*",
        "a b",
        "[::1",
    ],
)
def test_entry_that_cannot_be_meant_stops_the_start(entry: str) -> None:
    with pytest.raises(ValueError, match=r"host name nor a network|link-local"):
        Allowed.parse([entry])


@pytest.mark.parametrize(
    ("entry", "address", "port"),
    [
        ("::1", "::1", 1),
        ("[::1]", "::1", 1),
        ("[::1]:8090", "::1", 8090),
        ("fd00:1::/32", "fd00:1::7", 1),
        ("[fd00:1::]/32:443", "fd00:1::7", 443),
        ("[fd00:1::/32]:443", "fd00:1::7", 443),
        ("10.1.0.0/16", "::ffff:10.1.2.3", 1),
        ("10.1.0.0/16:99", "10.1.2.3", 99),
    ],
)
def test_entry_covers_what_it_names(entry: str, address: str, port: int) -> None:
    assert Allowed.parse([entry]).permits("any.example", ip_address(address), port)


# --- which addresses are public


@pytest.mark.parametrize(
    "address",
    ["1.1.1.1", "8.8.8.8", "193.0.6.139", "2606:4700::1111", "2a00:1450:4001::1", "2c0f:fb50::1"],
)
def test_public_addresses_are_public(address: str) -> None:
    assert reach_of(ip_address(address)) is Reach.PUBLIC


@pytest.mark.parametrize(
    "address",
    [
        "0.1.2.3",
        "10.255.255.255",
        "100.64.0.1",
        "100.127.255.255",
        "172.16.0.1",
        "172.31.255.255",
        "192.0.0.8",
        "192.0.2.1",
        "192.88.99.1",
        "192.168.255.1",
        "198.18.0.1",
        "198.19.255.255",
        "198.51.100.1",
        "203.0.113.1",
        "224.0.0.1",
        "239.255.255.255",
        "240.0.0.1",
        "255.255.255.255",
        "::",
        "::1",
        "::808:808",
        "64:ff9b::808:808",
        "64:ff9b:1::1",
        "100::1",
        "2001::1",
        "2001:2::1",
        "2001:10::1",
        "2001:db8::1",
        "2002:808:808::",
        "3fff::1",
        "5f00::1",
        "fc00::1",
        "fdff::1",
        "fec0::1",
        "ff02::1",
    ],
)
def test_special_addresses_are_not_public(address: str) -> None:
    assert reach_of(ip_address(address)) is Reach.PRIVATE


@given(st.ip_addresses())
def test_nothing_is_public_that_the_standard_library_knows_to_be_private(
    address: object,
) -> None:
    found = ip_address(str(address))

    if reach_of(found) is Reach.PUBLIC:
        assert found.is_global
        assert not found.is_multicast


# --- the form of a URL


@pytest.mark.parametrize(
    ("written", "normal"),
    [
        ("https://Example.ORG", "https://example.org/"),
        ("HTTPS://example.org:443/a?b=c#d", "https://example.org/a?b=c"),
        ("https://example.org./x", "https://example.org/x"),
        ("https://bücher.example/ä", "https://xn--bcher-kva.example/%C3%A4"),
        ("https://example.org:8443/a/../b", "https://example.org:8443/b"),
        (" https://example.org/t/T0/B1 ", "https://example.org/t/T0/B1"),
        ("https://[2606:4700:0::1111]/", "https://[2606:4700::1111]/"),
        ("https://my_service.example/", "https://my_service.example/"),
    ],
)
def test_url_has_one_normal_form(written: str, normal: str) -> None:
    assert str(receiver_url(written, Allowed())) == normal


@pytest.mark.parametrize(
    "written",
    [
        "",
        "example.org",
        "//example.org/",
        "ftp://example.org/",
        "file:///etc/passwd",
        "gopher://example.org/",
        "javascript:alert(1)",
        "http://example.org/",
        "https://",
        "https:///x",
        "https://user@example.org/",
        "https://:secret@example.org/",
        "https://example.org:0/",
        "https://example.org:65536/",
        "https://example.org:x/",
        "https://exa mple.org/",
        "https://example.org/a b",
        "https://example.org/\r\nHost: x",
        "https://example..org/",
        "https://-example-.org/",
        "https://[::1/",
        "https://" + "a" * 64 + ".org/",
        "https://example.org/" + "a" * 2048,
        "https://example.org/" + "ä" * 500,
        "https://example.org/\ud800",
    ],
)
def test_url_that_cannot_be_called_safely_is_refused(written: str) -> None:
    with pytest.raises(AddressError):
        receiver_url(written, Allowed())


def test_private_literal_is_refused_in_its_own_words() -> None:
    with pytest.raises(BlockedUrlError, match="KENTONGAN_WEBHOOK_ALLOW"):
        receiver_url("https://10.0.0.1/", Allowed())


def test_blocked_error_is_an_os_error_so_that_other_addresses_are_tried() -> None:
    assert issubclass(BlockedHostError, OSError)
