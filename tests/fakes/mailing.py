"""Many letters at once, each to a mailbox of its own, and what a relay took of them."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from channels.email import Email
from kentongan.alert import Lane
from kentongan.ids import AttemptRef, new_delivery_id
from kentongan.message import Envelope
from kentongan.outcome import (
    Outcome,
)
from tests.fakes.mail import envelope, open_gate, wording
from tests.fakes.smtp import Relay

Gate = Callable[[object], Awaitable[None]]


def letters(
    channel: Email, count: int, *, gates: Sequence[Gate] = (), lane: Lane = Lane.ROUTINE
) -> list["asyncio.Task[Outcome]"]:
    """Begin to send letters to 0@example.id, 1@example.id and so on."""
    prepared = channel.prepare(wording())
    gates = [*gates, *[open_gate] * (count - len(gates))]
    return [
        asyncio.ensure_future(channel.send(prepared, to(str(at), lane=lane), gate))
        for at, gate in enumerate(gates)
    ]


def to(name: str, **changes: Any) -> Envelope:
    attempt = AttemptRef(new_delivery_id(), 1)
    return envelope(address=f"{name}@example.id", attempt=attempt, **changes)


def reached(relay: Relay) -> list[str]:
    """Return the mailboxes that the relay took mail for."""
    whole = [heard for heard in relay.messages if heard.data != b"\r\n"]  # no lone dots
    return [heard.rcpt.partition("<")[2].partition("@")[0] for heard in whole]


async def until(relay: Relay, verb: str, times: int = 1) -> None:
    while relay.verbs().count(verb) < times:
        await asyncio.sleep(0.002)
