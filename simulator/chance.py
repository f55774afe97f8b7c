"""Decides the fate of an address: by the magic table first, and by seeded chance for the rest."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from hashlib import blake2b
from typing import TypeVar

from simulator.magic import (
    MAILBOXES,
    NUMBERS,
    ORDINARY,
    PLAIN_MAILBOX,
    Bounce,
    Door,
    Fate,
    Hook,
    Line,
    MailFate,
    Receipts,
    mailbox_of,
)
from simulator.settings import Rates

DrawnT = TypeVar("DrawnT")

#: Fates, each with its probability.
Lots = Sequence[tuple[float, DrawnT]]


class Chance:
    """Remembers how often each address was tried, since some fates end."""

    def __init__(self, seed: int, rates: Rates) -> None:
        self._seed = seed
        self._rates = rates
        self._lots = {kind: _number_lots(kind, rates) for kind in ("sms", "voice")}
        self._mail_lots = _mail_lots(rates)
        self._tries: Counter[tuple[str, str]] = Counter()

    def number(self, kind: str, to: str) -> Fate:
        """Return what this try at a number, by "sms" or "voice", meets."""
        tries = self._count(kind, to)
        fate = NUMBERS.get(to[-4:])
        if fate is None:
            return _drawn(self._draw(kind, to, tries), self._lots[kind]) or ORDINARY
        if fate.times is not None and tries > fate.times:
            return ORDINARY
        if fate.only and fate.only != kind:
            return replace(fate, door=Door.OPEN, code=0)
        return fate

    def mailbox(self, address: str) -> MailFate:
        """Return what this try at a mailbox meets."""
        tries = self._count("email", address)
        fate = MAILBOXES.get(mailbox_of(address))
        if fate is None:
            return _drawn(self._draw("email", address, tries), self._mail_lots) or PLAIN_MAILBOX
        if fate.times is not None and tries > fate.times:
            return PLAIN_MAILBOX
        return fate

    def hook(self, hook: Hook, webhook_id: str) -> Hook:
        """Return how the listener answers this try at a webhook."""
        tries = self._count(hook, webhook_id)
        if (hook is Hook.FLAKY and tries > 1) or (hook is Hook.THROTTLED and tries > 2):
            return Hook.OK
        if hook is Hook.OK and self._draw("webhook", webhook_id, tries) < self._rates.hook_503:
            return Hook.AWAY
        return hook

    def _count(self, kind: str, to: str) -> int:
        self._tries[kind, to] += 1
        return self._tries[kind, to]

    def _draw(self, kind: str, to: str, tries: int) -> float:
        what = f"{self._seed}:{kind}:{to}:{tries}".encode()
        return int.from_bytes(blake2b(what, digest_size=6).digest(), "big") / 2**48


def _number_lots(kind: str, rates: Rates) -> Lots[Fate]:
    doors = {
        Door.THROTTLED: rates.throttled,
        Door.BROKEN_BOOKED: rates.error_500,
        Door.BROKEN: rates.error_500_unbooked,
        Door.SILENT_BOOKED: rates.hang,
    }
    lots = [(rate, replace(ORDINARY, door=door)) for door, rate in doors.items()]
    if kind == "voice":
        lines = {
            Line.BUSY: rates.busy,
            Line.NO_ANSWER: rates.no_answer,
            Line.MACHINE: rates.machine,
        }
        return [*lots, *((rate, replace(ORDINARY, line=line)) for line, rate in lines.items())]
    receipts = {
        Receipts.NONE: rates.no_receipt,
        Receipts.LATE: rates.late_receipt,
        Receipts.DOUBLED: rates.doubled_receipts,
        Receipts.SHUFFLED: rates.shuffled_receipts,
    }
    return [
        *lots,
        (rates.undelivered, replace(ORDINARY, code=30003)),
        *((rate, replace(ORDINARY, receipts=how)) for how, rate in receipts.items()),
    ]


def _mail_lots(rates: Rates) -> Lots[MailFate]:
    return [
        (rates.mail_deferred, MAILBOXES["451"]),
        (rates.mail_refused, MAILBOXES["reject"]),
        (rates.mail_bounced, replace(PLAIN_MAILBOX, bounce=Bounce.HARD)),
    ]


def _drawn(draw: float, lots: Lots[DrawnT]) -> DrawnT | None:
    """Lay the lots end to end from 0, and return the one that the draw fell on."""
    for rate, lot in lots:
        if draw < rate:
            return lot
        draw -= rate
    return None
