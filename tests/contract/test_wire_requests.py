"""A request says what it was told to say, to the server that was meant, and nothing else."""

import aiohttp
import pytest
from aiohttp import TCPConnector
from yarl import URL

from channels._shared.http import HttpClient
from channels._shared.wire import Target, written
from tests.fakes import servers
from tests.fakes.channels import CountingGate

TARGET = Target.of(URL("http://127.0.0.1:8090/hook?a=b"))


async def test_request_says_what_it_was_told() -> None:
    client = HttpClient(lambda: TCPConnector(limit=1), within=5)
    async with servers.serving(servers.answering(200)) as heard:
        target = Target.of(URL(f"http://user:p%20w@127.0.0.1:{heard.port}/ä/b?q=1#part"))
        await client.post(target, body=b"body", headers={"X-Name": "väl"}, gate=CountingGate())
        await client.close()

    head, _, body = heard.requests[0].partition(b"\r\n\r\n")
    assert head.decode().split("\r\n") == [
        "POST /%C3%A4/b?q=1 HTTP/1.1",
        f"Host: 127.0.0.1:{heard.port}",
        "Accept-Encoding: identity",
        "Content-Length: 4",
        "X-Name: väl",
        "Authorization: Basic dXNlcjpwIHc=",
    ]
    assert body == b"body"


@pytest.mark.parametrize("evil", ["a\r\nX: y", "a\nX: y", "a\rb", "a\0b", "\r\n\r\nGET / HTTP/1.1"])
def test_no_value_can_add_a_line(evil: str) -> None:
    for target, headers in (
        (TARGET, {"X-Name": evil}),
        (TARGET, {evil: "value"}),
        (TARGET._replace(path=evil), {}),
        (TARGET._replace(host=evil), {}),
        (TARGET._replace(authorization=evil), {}),
    ):
        with pytest.raises(ValueError, match="line break"):
            written(target, headers, b"")


@pytest.mark.parametrize(
    ("url", "server", "host"),
    [
        ("https://example.org", "https://example.org", "example.org"),
        ("https://example.org:443/", "https://example.org", "example.org"),
        ("http://example.org:8080/x", "http://example.org:8080", "example.org:8080"),
        ("http://[::1]:80/", "http://[::1]", "[::1]"),
        ("https://bücher.example/", "https://xn--bcher-kva.example", "xn--bcher-kva.example"),
    ],
)
def test_server_has_one_name(url: str, server: str, host: str) -> None:
    target = Target.of(URL(url))

    assert (target.server, target.host) == (server, host)


@pytest.mark.parametrize("url", ["/path", "ftp://example.org/", "mailto:x", ""])
def test_what_cannot_be_posted_to_is_no_target(url: str) -> None:
    with pytest.raises(aiohttp.InvalidURL):
        Target.of(URL(url))
