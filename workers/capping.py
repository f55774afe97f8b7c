"""What a turn does about caps beside its claims: holds back in bulk, uncounts what was not sent.

What bounds a claim itself is in `ledger.caps`.
"""

import logging
from collections.abc import Sequence

from kentongan.alert import Alert
from kentongan.outcome import Deferred, NotBegun, Outcome, Refused
from ledger import cap_waiting, caps
from ledger.claims import Claimed
from ledger.engine import LedgerAwayError, read_now
from workers.runtime import Runtime

log = logging.getLogger(__name__)

#: Rows that one statement sets aside; on SQLite it holds the write lock under 20 ms.
_PAGE = 500


async def hold_back(run: Runtime, alert: Alert, channel: str) -> int:
    """Have what waits wait for money, a page of it, if a spend cap is reached.

    Claims would find the same out, but by no more rows at a time than the pace has units: a
    hundred thousand calls would be looked at one by one.
    """
    terms = run.caps.terms(alert, channel)
    if terms is None or not terms.most:
        return 0
    async with run.ledger.bulk() as db:
        moved = await cap_waiting.hold_waiting(db, terms, alert.id, limit=_PAGE)
    if moved:
        run.metrics.held_back(channel, moved)
        log.info("held back by a spend cap", extra={"alert": alert.id, "count": moved})
    return moved


async def uncount_unsent(
    run: Runtime, alert: Alert, channel: str, results: Sequence[tuple[Claimed, Outcome]]
) -> None:
    """Take off the books what a window certainly did not send.

    What is missed while the ledger is away stays counted: too much rather than too little.
    """
    terms = run.caps.terms(alert, channel)
    unsent = [c for c, outcome in results if isinstance(outcome, NotBegun | Deferred | Refused)]
    if terms is None or not unsent:
        return
    cost = sum(terms.cost(claimed.address, claimed.units) for claimed in unsent)
    units = sum(claimed.units for claimed in unsent)
    try:
        async with run.ledger.bulk() as db:
            now = await read_now(db)
            worker = run.lease.incarnation
            await caps.spend(db, terms, cost=-cost, units=-units, worker=worker, now=now)
    except LedgerAwayError as error:
        log.warning("unsent messages stay counted", extra={"why": str(error)})
