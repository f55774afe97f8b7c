"""Alerts that are accepted within three milliseconds are committed in one transaction.

Each 202 is as good as alone: its alert, its audit row and its idempotent answer are committed, or
none of them is. What has to wait for somebody else (a repeat, a twin, a correction with its stop, a
caller with a ceiling) does not join: the rest would wait with it.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from kentongan.alert import Alert
from ledger import alerts, audit, idempotency
from ledger.audit import Deed
from ledger.engine import Db, Ledger, read_now
from ledger.idempotency import Claim
from service.grouping import Group


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """An alert that may be committed, with what belongs to it; `claim` is its key's."""

    alert: Alert
    deed: Deed
    claim: Claim | None


@dataclass(slots=True)
class AcceptGroup:
    """What waits to be accepted by this process."""

    _group: Group[Entry, bool] = field(default_factory=lambda: Group(_together, _not_alone))

    async def join(self, ledger: Ledger, entry: Entry) -> bool:
        """Commit one alert with others. False: nothing was done, it has to be committed alone.

        Its key is taken, then, or something of the group could not be written. Raises
        `LedgerAwayError`.
        """
        return await self._group.join(ledger, entry)

    def lag(self) -> float:
        """Return for how many seconds somebody has been waiting for a commit."""
        return self._group.lag()


async def _together(db: Db, entries: Sequence[Entry]) -> Sequence[bool]:
    now = await read_now(db)
    mine = await _first_of_their_keys(db, entries, now)
    going = [entry for entry, is_first in zip(entries, mine, strict=True) if is_first]
    await alerts.add_many(db, [(entry.alert, entry.alert.send_at or now) for entry in going])
    await audit.add_many(db, [entry.deed for entry in going], now)
    return mine


async def _first_of_their_keys(db: Db, entries: Sequence[Entry], now: int) -> list[bool]:
    """Take the keys; return of each entry whether it was the first with its key, or has none."""
    firsts = {
        (entry.claim.caller, entry.claim.key): place
        for place, entry in reversed(list(enumerate(entries)))
        if entry.claim
    }
    claims = [claim for place in firsts.values() if (claim := entries[place].claim)]
    taken = await idempotency.claim_many(db, claims, now)
    going = {place for name, place in firsts.items() if name in taken}
    return [entry.claim is None or place in going for place, entry in enumerate(entries)]


async def _not_alone(_ledger: Ledger, _entry: Entry) -> bool:
    """Leave it to the way that can wait, and that tells what is wrong with one alert."""
    return False
