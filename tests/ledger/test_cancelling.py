"""Work cancelled in the midst of a statement ends as cancelled, so that a worker can stop."""

import asyncio

import pytest
from sqlalchemy import text

from ledger.engine import Ledger

#: Busy for some seconds on either engine.
LONG = text(
    "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 3000000)"
    " SELECT count(*) FROM n"
)


@pytest.mark.parametrize("bulk", [False, True], ids=["write", "bulk"])
async def test_statement_that_is_cancelled_says_so(ledger: Ledger, *, bulk: bool) -> None:
    begun = asyncio.Event()

    async def work() -> None:
        async with ledger.bulk() if bulk else ledger.write() as db:
            begun.set()
            await db.execute(LONG)

    task = asyncio.create_task(work())
    await begun.wait()
    await asyncio.sleep(0)  # the statement is on its way
    task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await task
