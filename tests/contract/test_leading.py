"""One worker looks after what is for all; when its lease ends, another does."""

import asyncio

from sqlalchemy import func, select, update

from kentongan.clock import seconds
from ledger import audit, schema_users, sessions
from ledger.engine import Ledger
from ledger.schema import leader
from tests.fakes.hands import DullChannel, working
from tests.fakes.users import added, logged_in
from workers.housekeeping import Leading


async def holder(ledger: Ledger) -> str:
    async with ledger.read() as db:
        return str((await db.execute(select(leader.c.holder))).scalar_one())


async def any_unlinked(ledger: Ledger) -> bool:
    async with ledger.read() as db:
        return await audit.any_unlinked(db)


async def deed(ledger: Ledger) -> None:
    async with ledger.write() as db:
        await audit.add(db, actor="officer", action="alert.stop", subject="alr_1")


async def test_leader_links_the_audit_without_taking_its_lease_anew_each_time(
    ledger: Ledger,
) -> None:
    async with working(ledger, DullChannel()) as run:
        leading = Leading(run)
        await leading.once()
        await deed(ledger)

        await leading.once()

        assert not await any_unlinked(ledger)
        assert await holder(ledger) == run.lease.incarnation


async def test_another_leads_only_once_the_lease_has_ended(ledger: Ledger) -> None:
    async with working(ledger, DullChannel()) as first, working(ledger, DullChannel()) as second:
        one, other = Leading(first), Leading(second)
        await one.once()
        await deed(ledger)

        await other.once()
        assert await holder(ledger) == first.lease.incarnation
        assert await any_unlinked(ledger)

        async with ledger.write() as db:
            await db.execute(update(leader).values(until_at=0))
        await other.once()
        await one.once()  # it still takes itself for the leader, and takes nothing back
        assert await holder(ledger) == second.lease.incarnation
        assert not await any_unlinked(ledger)


async def test_leader_forgets_sessions_that_ended_a_week_ago(ledger: Ledger) -> None:
    user = await added(ledger)
    long_ago = await ledger.now() - seconds(8 * 86_400)
    async with ledger.write() as db:
        await sessions.begin(db, user.id, sessions.new_token(), "", long_ago)
    token = await logged_in(ledger, user)

    async with working(ledger, DullChannel()) as run:
        await Leading(run).once()
        await asyncio.gather(*run.background)

    async with ledger.read() as db:
        left = (await db.execute(select(func.count()).select_from(schema_users.sessions))).scalar()
        assert left == 1
        assert await sessions.find(db, token)
