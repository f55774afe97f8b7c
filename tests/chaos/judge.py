"""The judge: `kentongan ledger check` against the simulator's book, and what it cannot see."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import exists, func, select

from kentongan.clock import SECOND
from kentongan.delivery import Work
from kentongan.expansion import Stage
from ledger.check_book import Comparison
from ledger.check_rules import FaultKind
from ledger.engine import Ledger, read_now
from ledger.schema import alert_progress, alerts, attempts, deliveries
from tests.chaos.load import Load
from tests.chaos.ordeal import Limits, Ordeal
from tests.chaos.recovery import Recovery

#: Faults that are told in full.
_TOLD = 8


async def open_ones(ledger: Ledger) -> int:
    """Return how many deliveries we ourselves shall still change; an unknown that nobody can be
    asked about any more is not among them."""
    asked = exists().where(
        attempts.c.delivery_id == deliveries.c.id, attempts.c.ask_at.is_not(None)
    )
    working = deliveries.c.work.in_([Work.PENDING, Work.ATTEMPTING, Work.RETRY_WAIT])
    query = (
        select(func.count())
        .select_from(deliveries)
        .where(working | ((deliveries.c.work == Work.UNKNOWN) & asked))
    )
    async with ledger.read() as db:
        return int((await db.execute(query)).scalar_one())


async def waiting_longer(ledger: Ledger, seconds: float) -> bool:
    """Tell whether anything of an alert that is so old was never tried, or not even found."""
    async with ledger.read() as db:
        before = await read_now(db) - int(seconds * SECOND)
        untried = (
            select(deliveries.c.id)
            .join(alerts, alerts.c.id == deliveries.c.alert_id)
            .where(
                deliveries.c.work == Work.PENDING,
                deliveries.c.attempts == 0,
                alerts.c.accepted_at < before,
            )
            .limit(1)
        )
        unfound = (
            select(alerts.c.id)
            .join(alert_progress, alert_progress.c.alert_id == alerts.c.id)
            .where(alert_progress.c.stage != Stage.DONE, alerts.c.accepted_at < before)
            .limit(1)
        )
        return any([(await db.execute(query)).first() for query in (untried, unfound)])


async def by_alert(ledger: Ledger) -> dict[str, int]:
    """Return how many deliveries each alert has."""
    query = select(deliveries.c.alert_id, func.count()).group_by(deliveries.c.alert_id)
    async with ledger.read() as db:
        return {row[0]: row[1] for row in await db.execute(query)}


async def by_state(ledger: Ledger) -> dict[str, int]:
    """Return how many deliveries show each state."""
    query = select(deliveries.c.state, func.count()).group_by(deliveries.c.state)
    async with ledger.read() as db:
        return {row[0]: row[1] for row in await db.execute(query)}


def missing(load: Load, there: dict[str, int]) -> int:
    """Return how many deliveries of accepted alerts do not exist."""
    return sum(
        abs(accepted.deliveries - there.get(alert, 0)) for alert, accepted in load.accepted.items()
    )


def complaints(
    ordeal: Ordeal, found: Comparison, states: dict[str, int], counted: dict[str, int]
) -> Iterator[str]:
    """Yield what the books have against the run. `counted` are `lost` and `unsettled`."""
    kinds = {FaultKind.DOUBLED} if ordeal.may_double else set()
    told = [fault for fault in found.faults if fault.kind not in kinds]
    yield from map(str, told[:_TOLD])
    if len(told) > _TOLD:
        yield f"and {len(told) - _TOLD} more"
    for name, count in counted.items():
        if count:
            yield f"{count} deliveries are {name}"
    for state in sorted(states.keys() - ordeal.ends):
        yield f"{states[state]} deliveries ended as {state}"


def tardiness(limits: Limits, was: Recovery) -> Iterator[str]:
    """Yield what took too long."""
    times: tuple[tuple[str, float, Any], ...] = (
        ("flash work flowed again", was.flash, limits.flash),
        ("routine work flowed again", was.routine, limits.routine),
        ("what was claimed was decided", was.decided, limits.decided),
    )
    for what, took, most in times:
        if took > most:
            yield f"{what} after {took:.1f} s, not {most:g}"
