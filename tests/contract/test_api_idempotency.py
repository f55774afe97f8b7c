"""A request that is repeated acts once and is answered as the first time."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiohttp.test_utils import TestClient, TestServer
from multidict import CIMultiDict

from kentongan.access import Act
from ledger import audit
from ledger.engine import Db, Ledger
from service.app import build_app
from service.calls import Call
from service.idempotency import once
from service.web.bodies import Body, Idempotent, Out
from service.web.openapi import Api, Reply
from service.web.problems import ProblemError
from service.wiring import House
from tests.fakes.house import KEYRING, Client, Headers

api = Api("deeds")


class Deed(Body):
    name: str
    refused: bool = False


class Did(Out):
    name: str


@api.op("POST", "/v1/deeds", may=Act.WHO_AM_I, gives={202: Did})
async def do(call: Call, *, headers: Idempotent, body: Deed) -> object:
    """Do something that must not be done twice."""

    async def work(db: Db) -> Reply:
        await audit.add(db, actor=call.caller, action="deed", subject=body.name)
        if body.refused:
            raise ProblemError(409, "Not now.")
        return Reply(Did(name=body.name), 202)

    done = await once(call, headers.idempotency_key, work)
    return done.response


@asynccontextmanager
async def doing(house: House) -> AsyncIterator[Client]:
    async with TestClient(TestServer(build_app(house, [api]))) as client:
        yield client


async def deeds(ledger: Ledger) -> int:
    await audit.chain_all(ledger, KEYRING)
    return (await audit.verify(ledger, KEYRING)).links


async def test_repeat_is_answered_as_the_first_time_and_says_so(
    house: House, ledger: Ledger, officer: Headers
) -> None:
    headers = {**officer, "Idempotency-Key": "a key of ours".replace(" ", "-")}

    async with doing(house) as client:
        async with client.post("/v1/deeds", json={"name": "x"}, headers=headers) as first:
            one = await first.read()
        async with client.post("/v1/deeds", json={"name": "x"}, headers=headers) as repeat:
            two = await repeat.read()

    assert (first.status, one) == (repeat.status, two)
    assert first.status == 202
    assert "Idempotency-Replayed" not in first.headers
    assert repeat.headers["Idempotency-Replayed"] == "true"
    assert await deeds(ledger) == 1


async def test_ten_twins_at_once_act_once(house: House, ledger: Ledger, officer: Headers) -> None:
    headers = {**officer, "Idempotency-Key": "k"}

    async with doing(house) as client:

        async def post() -> int:
            async with client.post("/v1/deeds", json={"name": "x"}, headers=headers) as answer:
                await answer.read()
                return answer.status

        seen = await asyncio.gather(*(post() for _ in range(10)))

    assert set(seen) == {202}
    assert await deeds(ledger) == 1


async def test_two_keys_of_one_request_are_one_too_many(house: House, officer: Headers) -> None:
    both = [*officer.items(), ("Idempotency-Key", "one"), ("Idempotency-Key", "two")]

    async with (
        doing(house) as client,
        client.post("/v1/deeds", headers=CIMultiDict(both), json={"name": "x"}) as answer,
    ):
        assert answer.status == 400


async def test_other_request_under_a_used_key_is_refused(
    house: House, ledger: Ledger, officer: Headers
) -> None:
    headers = {**officer, "Idempotency-Key": "k"}

    async with doing(house) as client:
        async with client.post("/v1/deeds", json={"name": "x"}, headers=headers):
            pass
        async with client.post("/v1/deeds", json={"name": "y"}, headers=headers) as answer:
            told = await answer.json(content_type=None)

    assert answer.status == 422
    assert told["type"].endswith("idempotency-key-reused")
    assert await deeds(ledger) == 1


async def test_refusal_is_not_kept(house: House, ledger: Ledger, officer: Headers) -> None:
    headers = {**officer, "Idempotency-Key": "k"}

    async with doing(house) as client:
        async with client.post(
            "/v1/deeds", json={"name": "x", "refused": True}, headers=headers
        ) as refused:
            assert refused.status == 409
        async with client.post("/v1/deeds", json={"name": "x"}, headers=headers) as answer:
            assert answer.status == 202

    assert await deeds(ledger) == 1


async def test_keys_of_two_callers_have_nothing_to_do_with_each_other(
    house: House, ledger: Ledger, officer: Headers, admin: Headers
) -> None:
    async with doing(house) as client:
        for caller in (officer, admin):
            headers = {**caller, "Idempotency-Key": "k"}
            async with client.post("/v1/deeds", json={"name": "x"}, headers=headers) as answer:
                assert "Idempotency-Replayed" not in answer.headers

    assert await deeds(ledger) == 2


@pytest.mark.parametrize("key", ["", "x" * 256, "a b", "ü"])
async def test_key_that_could_be_mangled_on_its_way_is_refused(
    house: House, officer: Headers, key: str
) -> None:
    headers = {**officer, "Idempotency-Key": key}

    async with (
        doing(house) as client,
        client.post("/v1/deeds", json={"name": "x"}, headers=headers) as answer,
    ):
        assert answer.status == 422
