"""What holds for every request: it is understood in one way, or refused in words."""

import asyncio
import io
import json
from collections.abc import AsyncIterator
from contextlib import suppress
from typing import Any

import pytest
from aiohttp import ClientError, web
from aiohttp.test_utils import TestClient, TestServer

from kentongan.access import Act
from ledger.engine import LedgerAwayError
from service.app import build_app
from service.calls import Call
from service.web import reading
from service.web.idle import Idle
from service.web.openapi import Api, Stream
from service.wiring import House
from tests.fakes.house import Client, Headers

GOOD = {"name": "x", "role": "auditor", "modes": ["test"]}

BODIES = {
    "nested 100,000 deep": b"[" * 100_000,
    "5,000 digits": b'{"name": ' + b"9" * 5000 + b"}",
    "NaN": b'{"name": NaN}',
    "twice": b'{"name": "a", "name": "b"}',
    "surrogate": b'{"name": "\\ud800"}',
    "NUL": b'{"name": "\\u0000"}',
    "BOM": b"\xef\xbb\xbf{}",
    "Latin-1": b'{"name": "\xe9"}',
    "empty": b"",
    "list": b"[]",
    "null": b"null",
    "number for text": b'{"name": 7, "role": "auditor", "modes": ["test"]}',
    "role of the caller's own making": b'{"name": "x", "role": "root", "modes": ["test"]}',
    "fields of ours": json.dumps(
        GOOD | {"id": "key_1", "hash": "0", "last_used_at": None}
    ).encode(),
}
TARGETS = [
    "/v1/keys?limit=abc", "/v1/keys?limit=1e3", "/v1/keys?limit=%31_0", "/v1/keys?limit=0",
    "/v1/keys?limit=99999999999999999999999", "/v1/keys?limit=1&limit=2", "/v1/keys?unknown=1",
    "/v1/keys?cursor=%00", "/v1/keys?cursor=%zz", "/v1/keys?cursor=%ff", "/v1/keys?cursor=%",
    "/v1/keys/%00", "/v1/keys/%ff", "/v1/keys/..%2f..%2fetc", "/v1/keys/key_1", "/v1/keys/'--",
    "/v1/keys?" + "&".join(f"a{n}=1" for n in range(500)), "/nowhere", "/v1/keys/",
]  # fmt: skip


async def problem(answer: Any) -> dict[str, Any]:
    assert answer.content_type == "application/problem+json", await answer.text()
    told = json.loads(await answer.read())
    assert told["status"] == answer.status
    return dict(told)


@pytest.mark.parametrize("raw", BODIES.values(), ids=BODIES)
async def test_bad_body_is_a_problem_with_a_fix_and_never_our_fault(
    client: Client, admin: Headers, raw: bytes
) -> None:
    headers = {**admin, "Content-Type": "application/json"}

    async with client.post("/v1/keys", data=raw, headers=headers) as answer:
        told = await problem(answer)

    assert answer.status in (400, 422)
    assert told.get("fix") or all(one["fix"] for one in told["errors"])


@pytest.mark.parametrize("target", TARGETS)
async def test_bad_target_is_a_problem_and_never_our_fault(
    house: House, admin: Headers, target: str
) -> None:
    async with raw_service(house) as port:
        status, _, body = await spoken(
            port, f"GET {target} HTTP/1.1\r\nHost: localhost\r\n{lines(admin)}\r\n".encode()
        )

    assert status in (400, 404, 422)
    assert json.loads(body)["status"] == status


@pytest.mark.parametrize(
    "kind",
    [None, "text/plain", "application/xml", "application/json; charset=nope", "multipart/form-data",
     "application/json; charset=utf-16", "application/x-www-form-urlencoded"],
)  # fmt: skip
async def test_other_types_than_json_are_named_unsupported(
    client: Client, admin: Headers, kind: str | None
) -> None:
    headers = {**admin, **({"Content-Type": kind} if kind else {})}
    body = json.dumps(GOOD).encode()

    async with client.post(
        "/v1/keys", data=body, headers=headers, skip_auto_headers=["Content-Type"]
    ) as answer:
        await problem(answer)

    assert answer.status == 415


async def test_compressed_body_is_refused_unopened(client: Client, admin: Headers) -> None:
    headers = {**admin, "Content-Type": "application/json", "Content-Encoding": "gzip"}

    async with client.post("/v1/keys", data=b"\x1f\x8b\x08", headers=headers) as answer:
        await problem(answer)

    assert answer.status == 415


@pytest.mark.parametrize("length", ["declared", "unknown"])
async def test_body_over_a_mebibyte_is_refused(client: Client, admin: Headers, length: str) -> None:
    big = b" " * (1024 * 1024 + 1)

    async def chunks() -> AsyncIterator[bytes]:
        yield big

    async with client.post(
        "/v1/keys",
        data=io.BytesIO(big) if length == "declared" else chunks(),
        headers={**admin, "Content-Type": "application/json"},
    ) as answer:
        await problem(answer)

    assert answer.status == 413


async def test_all_faults_are_told_at_once(client: Client, admin: Headers) -> None:
    body = {"name": "", "rolle": "officer", "modes": ["real"]}

    async with client.post("/v1/keys", json=body, headers=admin) as answer:
        told = await problem(answer)

    assert answer.status == 422
    assert {(one["in"], one["at"]) for one in told["errors"]} == {
        ("body", "name"), ("body", "role"), ("body", "rolle"), ("body", "modes/0"),
    }  # fmt: skip
    assert "Did you mean role?" in " ".join(one["fix"] for one in told["errors"])


async def test_stranger_host_is_misdirected_but_probes_are_answered(client: Client) -> None:
    evil = {"Host": "evil.example"}

    async with client.get("/docs", headers=evil) as answer:
        await problem(answer)
    async with client.get("/livez", headers=evil) as probe:
        alive = await probe.json()

    assert answer.status == 421
    assert alive == {"alive": True}


async def test_every_answer_is_dressed_and_names_no_library(client: Client) -> None:
    for path in ("/livez", "/docs", "/openapi.json", "/nowhere", "/v1/keys"):
        async with client.get(path) as answer:
            assert answer.headers["X-Content-Type-Options"] == "nosniff"
            assert "default-src 'none'" in answer.headers["Content-Security-Policy"]
            assert "aiohttp" not in answer.headers["Server"]


async def test_wrong_method_names_the_right_ones(client: Client) -> None:
    async with client.put("/v1/keys") as answer:
        await problem(answer)

    assert answer.status == 405
    assert set(answer.headers["Allow"].split(",")) >= {"GET", "POST"}


async def test_slow_body_is_not_waited_for(
    house: House, admin: Headers, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(reading, "READ_TIMEOUT", 0.2)
    head = (
        f"POST /v1/keys HTTP/1.1\r\nHost: localhost\r\n{lines(admin)}"
        "Content-Type: application/json\r\nContent-Length: 10\r\n\r\n{"
    )

    async with raw_service(house) as port:
        status, headers, _ = await spoken(port, head.encode())

    assert status == 408
    assert "connection: close" in headers.lower()


async def test_two_meanings_of_where_a_request_ends_are_refused(house: House) -> None:
    smuggled = (
        b"POST /v1/keys HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n"
        b"Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"
    )

    async with raw_service(house) as port:
        status, _, _ = await spoken(port, smuggled)

    assert status == 400


async def test_connection_without_a_whole_head_is_cut_and_one_in_use_is_not(house: House) -> None:
    app = build_app(house)
    server = TestServer(app)
    await server.start_server()
    idle = Idle(first=0.2, later=0.2)
    assert server.runner
    assert server.runner.server

    async with idle.watching(server.runner.server):
        reader, writer = await asyncio.open_connection("127.0.0.1", server.port)
        writer.write(b"GET /livez HTTP/1.1\r\nHost: loc")
        async with asyncio.timeout(10):
            with suppress(ConnectionResetError):
                assert await reader.read() == b""
        writer.close()
    await server.close()


async def test_stream_that_breaks_off_is_cut_so_that_nobody_takes_it_for_whole(
    house: House, officer: Headers
) -> None:
    api = Api("streams")

    @api.op("GET", "/v1/stream", may=Act.WHO_AM_I, gives={200: Stream("text/csv")})
    async def stream(call: Call) -> web.StreamResponse:
        """Break off."""
        answer = web.StreamResponse(headers={"Content-Type": "text/csv"})
        await answer.prepare(call.request)
        await answer.write(b"a,b\n")
        raise LedgerAwayError("gone")

    async with (
        TestClient(TestServer(build_app(house, [api]))) as client,
        client.get("/v1/stream", headers=officer) as answer,
    ):
        with pytest.raises(ClientError):
            await answer.read()

    assert answer.status == 200


async def test_bug_of_ours_tells_the_log_and_the_caller_the_same_name(
    house: House, officer: Headers, caplog: pytest.LogCaptureFixture
) -> None:
    api = Api("bugs")

    @api.op("GET", "/v1/bug", may=Act.WHO_AM_I, status=204)
    async def bug(_call: Call) -> None:
        """Fail."""
        raise ZeroDivisionError("a secret")

    async with (
        TestClient(TestServer(build_app(house, [api]))) as client,
        client.get("/v1/bug", headers=officer) as answer,
    ):
        told = await problem(answer)

    assert answer.status == 500
    assert "secret" not in str(told)
    assert [record.__dict__["instance"] for record in caplog.records] == [told["instance"]]


class raw_service:  # noqa: N801 - used as a context manager, like a function
    """The service for those who write their own bytes."""

    def __init__(self, house: House) -> None:
        self._server = TestServer(build_app(house))

    async def __aenter__(self) -> int:
        await self._server.start_server()
        return int(self._server.port or 0)

    async def __aexit__(self, *_error: object) -> None:
        await self._server.close()


def lines(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items())


async def spoken(port: int, sent: bytes) -> tuple[int, str, bytes]:
    """Send bytes; return status, head and body of the one answer."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(sent)
    async with asyncio.timeout(10):
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = next(
            int(line.partition(":")[2])
            for line in head.split("\r\n")
            if line.lower().startswith("content-length")
        )
        body = await reader.readexactly(length)
    writer.close()
    return int(head.split()[1]), head, body
