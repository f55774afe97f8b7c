"""Setting aside in bulk what waits for money: claims alone would find it out row by row."""

from sqlalchemy import case, select, update
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.caps import Terms
from kentongan.clock import seconds
from kentongan.delivery import Work
from kentongan.outcome import Reason
from ledger.caps import looked_at_again, spent_by
from ledger.claims import IS_PENDING, LEAST_LIFE, may_run
from ledger.dialect import is_postgresql
from ledger.engine import read_now
from ledger.schema import alerts, deliveries


async def hold_waiting(db: AsyncConnection, terms: Terms, alert_id: str, *, limit: int) -> int:
    """Set aside a page of what an alert has pending, if not even its cheapest message can be paid.

    Returns how many. It takes no turn with the claims: what they give back meanwhile is found when
    these are looked at again.
    """
    now = await read_now(db)
    spent = await spent_by(db, terms.caps, now)
    cheapest = terms.caps.prices.cheapest_of(terms.channel)
    full = [period for period, most in terms.most.items() if most - spent[period] < cheapest]
    if not full:
        return 0
    until = looked_at_again(full, terms.caps, now)
    chosen = (
        select(deliveries.c.id)
        .where(
            deliveries.c.alert_id == alert_id,
            deliveries.c.channel == terms.channel,
            IS_PENDING,
            may_run(alert_id, now),
        )
        .order_by(deliveries.c.id)
        .limit(limit)
    )
    if is_postgresql(db):
        chosen = chosen.with_for_update(skip_locked=True, of=deliveries)
    first = chosen.cte("first")
    expires_at = select(alerts.c.expires_at).where(alerts.c.id == alert_id).scalar_subquery()
    lives = expires_at - seconds(LEAST_LIFE) >= until
    moved = await db.execute(
        update(deliveries)
        .where(deliveries.c.id.in_(select(first.c.id)))
        .values(
            work=case((lives, Work.RETRY_WAIT), else_=Work.EXPIRED),
            due_at=case((lives, until)),
            reason=Reason.SPEND_CAP,
        )
        .returning(deliveries.c.id)
    )
    return len(moved.all())
