"""Calling back what a provider still holds of an alert that was stopped, or whose time is over."""

import asyncio
import logging
from collections.abc import Sequence

from channels import AnyChannel
from kentongan.channel import Channel
from kentongan.outcome import Reason
from kentongan.receipt import ReceiptKind
from ledger import events, recalls
from ledger.events import NewEvent
from ledger.recalls import Held
from ledger.sweep import OpenAlert
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Messages called back at once, and seconds between two such pages: the provider's API serves what
#: is sent as well.
PAGE = 20
_PAUSE = 0.2
#: Seconds that one call back may take.
_PATIENCE = 12.0


def can_recall(channel: AnyChannel) -> bool:
    """Tell whether the channel's provider holds messages that can be called back."""
    return type(channel).cancel is not Channel.cancel


def recallable(run: Runtime, alert: OpenAlert) -> list[str]:
    """Return the channels of an alert whose messages can be called back."""
    providers = run.providers(alert.mode)
    return [name for name in alert.channels if any(map(can_recall, providers.of(name)))]


async def recall(run: Runtime, alert: OpenAlert) -> None:
    """Call back all that may be, page by page; what was too late goes the way of all receipts.

    Each is tried three times at most, so a provider that is away cannot keep us at it for ever.
    """
    names = recallable(run, alert)
    while names:
        async with run.ledger.write() as db:
            held = await recalls.take(db, alert.id, names, PAGE)
        if not held:
            return
        done = await asyncio.gather(*(_call_back(run, alert, one) for one in held))
        back = [one for one, is_back in zip(held, done, strict=True) if is_back]
        if back:
            await _note(run, back)
        for one, is_back in zip(held, done, strict=True):
            run.metrics.recalled(one.channel, is_back=is_back)
        log.info("called back", extra={"alert": alert.id, "asked": len(held), "back": len(back)})
        await asyncio.sleep(_PAUSE)


async def _call_back(run: Runtime, alert: OpenAlert, one: Held) -> bool:
    channel = run.provider(alert.mode, one.channel, one.provider)
    if channel is None:
        return False
    try:
        async with asyncio.timeout(_PATIENCE):
            return await channel.cancel(one.provider_id)
    except TimeoutError:
        return False
    except Exception:
        # A bug over one message must not keep the others of the page from being called back.
        log.exception("channel raised", extra={"delivery": one.attempt.delivery_id})
        return False


async def _note(run: Runtime, back: Sequence[Held]) -> None:
    """Keep that they never left, as receipts that are joined as all others are."""
    said = [
        NewEvent(
            channel=one.channel,
            kind="recall",
            attempt=one.attempt,
            payload={
                "receipt": ReceiptKind.FAILED,
                "provider_id": one.provider_id,
                "reason": Reason.STOPPED,
                "transient": False,
                "word": "canceled",
                "code": "",
            },
        )
        for one in back
    ]
    async with run.ledger.write() as db:
        await events.keep_many(db, said)
