"""Whether an alert's sums agree: what its expansion counted, its rows, and its counts by state."""

from collections.abc import Iterator
from typing import Any

from sqlalchemy import func, literal, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.delivery import State
from kentongan.expansion import Stage
from ledger.check_rules import Fault, FaultKind
from ledger.counts import Counts, count
from ledger.schema import alert_people, alert_progress, deliveries


async def sums(db: AsyncConnection, alert_id: str) -> list[Fault]:
    """Compare what the expansion counted, what the rows are, and what the states add up to."""
    people = select(func.count()).where(alert_people.c.alert_id == alert_id).scalar_subquery()
    sent = select(func.count()).where(deliveries.c.alert_id == alert_id).scalar_subquery()
    row = (
        await db.execute(
            select(
                people.label("people"),
                sent.label("deliveries"),
                alert_progress.c.people.label("counted_people"),
                alert_progress.c.deliveries.label("counted_deliveries"),
                alert_progress.c.stage,
                alert_progress.c.counts,
                alert_progress.c.counted_at,
                alert_progress.c.expanded_at,
            )
            .select_from(select(literal(1)).subquery("one"))
            .outerjoin(alert_progress, alert_progress.c.alert_id == alert_id)
        )
    ).one()
    said = list(_compared(row))
    if row.stage == Stage.DONE:
        # Nobody joins an alert any more, so that these sums must hold at any moment.
        fresh = await count(db, alert_id, waiting_shows=State.WAITING)
        said += _added_up("counted now", fresh, row)
        if row.counts and (row.counted_at or 0) > row.expanded_at:
            said += _added_up("as last counted", Counts.from_json(row.counts), row)
    return [Fault(kind=FaultKind.SUMS, subject=alert_id, said=words) for words in said]


def _compared(row: Any) -> Iterator[str]:
    if row.stage is None:
        yield "it has no progress"
        return
    if row.people != row.counted_people:
        yield f"{row.people} people, the expansion counted {row.counted_people}"
    if row.deliveries != row.counted_deliveries:
        yield f"{row.deliveries} deliveries, the expansion counted {row.counted_deliveries}"


def _added_up(when: str, counts: Counts, row: Any) -> Iterator[str]:
    shown = sum(sum(states.values()) for states in counts.channels.values())
    if counts.total_people != row.people:
        yield f"{when}: {counts.total_people} people in all states, {row.people} there are"
    if shown != row.deliveries:
        yield f"{when}: {shown} deliveries in all states, {row.deliveries} there are"
