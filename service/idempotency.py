"""Runs an effect once per Idempotency-Key, however often the request is repeated."""

import hashlib
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from aiohttp import web

from ledger import idempotency
from ledger.engine import Db
from ledger.idempotency import Known, TwinBusyError
from service.calls import Call
from service.web.openapi import Reply
from service.web.problems import ProblemError

REPLAYED = "Idempotency-Replayed"

#: The effect, within the transaction that it is given. It refuses by raising: nothing is kept then.
Work = Callable[[Db], Awaitable[Reply]]


@dataclass(frozen=True, slots=True)
class Done:
    """What to answer, and whether this request did it (else a repeat of an earlier one)."""

    response: web.Response
    is_first: bool


async def once(call: Call, key: str | None, work: Work) -> Done:
    """Commit `work` and its answer together; for a repeat, return the answer of the first.

    Raises a 422 for another request under a used key, a 409 while the first is being served.
    """
    if key is None:
        async with call.ledger.write() as db:
            reply = await work(db)
        return Done(reply.response(), is_first=True)
    fingerprint = await fingerprint_of(call.request)
    try:
        async with call.ledger.write() as db:
            known = await idempotency.claim(
                db, caller=call.caller, key=key, fingerprint=fingerprint
            )
            if known is None:
                response = (await work(db)).response()
                await idempotency.store(
                    db,
                    caller=call.caller,
                    key=key,
                    status=response.status,
                    answer=response.text or "",
                )
                return Done(response, is_first=True)
    except TwinBusyError:
        raise _busy() from None
    return Done(_replay(known, fingerprint), is_first=False)


async def fingerprint_of(request: web.Request) -> str:
    """Return what tells a repeat from another request under the same key."""
    told = hashlib.sha256(f"{request.method} {request.raw_path}\n".encode())
    told.update(await request.read())
    return told.hexdigest()


def _replay(known: Known, fingerprint: str) -> web.Response:
    if known.fingerprint != fingerprint:
        raise ProblemError(
            422,
            "This Idempotency-Key belongs to another request.",
            fix="Use a new key for a new request, and the same bytes for a repeat.",
            kind="idempotency-key-reused",
        )
    return web.Response(
        status=known.status,
        text=known.answer,
        content_type="application/json",
        headers={REPLAYED: "true"},
    )


def _busy() -> ProblemError:
    return ProblemError(
        409,
        "The first request with this Idempotency-Key is still being served.",
        fix="Send it again in a moment, with the same key.",
        kind="idempotency-busy",
        headers={"Retry-After": "1"},
    )
