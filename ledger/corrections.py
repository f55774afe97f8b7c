"""How many people a correction finds: who was told is told again, who was not never hears of it."""

from sqlalchemy import exists, func, select
from sqlalchemy.ext.asyncio import AsyncConnection

from kentongan.alert import Alert
from kentongan.expansion import Stage
from ledger.audience_lookup import MOST_COUNTED, count_people
from ledger.audiences import may_have_got
from ledger.schema import alert_people, alert_progress, deliveries, delivery_people


async def never_told(db: AsyncConnection, original: Alert) -> int | None:
    """Return how many people of `original` may not have got it. None: there are too many to count.

    Right after the stop, what is open counts as got; the correction goes to those as well. People
    of an expansion that the stop cut off were never told either.
    """
    progress = (
        await db.execute(
            select(alert_progress.c.stage, alert_progress.c.people).where(
                alert_progress.c.alert_id == original.id
            )
        )
    ).one()
    if progress.people > MOST_COUNTED:
        return None
    told = await _told(db, original.id)
    if progress.stage == Stage.DONE:
        return int(progress.people) - told
    everyone = await count_people(db, original.audience, MOST_COUNTED)
    return None if everyone is None else max(everyone - told, 0)


async def _told(db: AsyncConnection, alert_id: str) -> int:
    got = exists().where(
        delivery_people.c.person_id == alert_people.c.id,
        delivery_people.c.delivery_id == deliveries.c.id,
        may_have_got(),
    )
    counted = select(func.count()).select_from(alert_people)
    return (await db.execute(counted.where(alert_people.c.alert_id == alert_id, got))).scalar_one()
