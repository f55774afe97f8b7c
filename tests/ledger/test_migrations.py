"""A database goes up to the schema that the code knows, and down again, on both engines."""

import asyncio
import sys
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from sqlalchemy import Connection, inspect

from ledger.engine import Ledger
from ledger.migrate import current, head, upgrade
from ledger.schema import metadata
from tests.fakes.ledgers import Ledgers

ROOT = Path(__file__).parents[2]
UPGRADE = """
import asyncio, sys
from ledger.migrate import upgrade
asyncio.run(upgrade(sys.argv[1]))
"""


@pytest.fixture(params=["sqlite", "postgresql"])
async def bare(request: pytest.FixtureRequest, ledgers: Ledgers, tmp_path: Path) -> Any:
    """The URL of a database without any table."""
    url = await ledgers.bare(request.param, tmp_path)
    yield url
    await ledgers.drop(url)


async def tables(url: str) -> set[str]:
    return set(await _seen(url, lambda db: inspect(db).get_table_names()))


async def _seen(url: str, look: Any) -> Any:
    ledger = Ledger.open(url)
    try:
        async with ledger.read() as db:
            return await db.run_sync(look)
    finally:
        await ledger.close()


def _differences(db: Connection) -> list[Any]:
    return list(compare_metadata(MigrationContext.configure(db), metadata))


async def run(url: str, revision: str = "head") -> None:
    await asyncio.to_thread(asyncio.run, upgrade(url, revision))


async def test_empty_database_is_at_no_revision(bare: str) -> None:
    assert await current(bare) is None


async def test_migrations_lead_to_the_schema_that_the_code_knows(bare: str) -> None:
    await run(bare)

    assert await current(bare) == head()
    assert await tables(bare) == {*metadata.tables, "alembic_version"}
    assert await _seen(bare, _differences) == []


async def test_migrating_twice_changes_nothing(bare: str) -> None:
    await run(bare)
    await run(bare)

    assert await current(bare) == head()


async def test_migrations_go_down_and_up_again(bare: str) -> None:
    await run(bare)

    await run(bare, "base")

    assert await tables(bare) <= {"alembic_version"}
    await run(bare)
    assert await _seen(bare, _differences) == []


async def _in_a_process(url: str) -> None:
    code = (
        "import asyncio, sys; from ledger.migrate import upgrade; asyncio.run(upgrade(sys.argv[1]))"
    )
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", code, url), cwd=ROOT, stderr=asyncio.subprocess.PIPE
    )
    _, said = await process.communicate()
    assert process.returncode == 0, said.decode()[-2000:]


async def test_processes_that_migrate_at_once_do_not_trip_over_each_other(bare: str) -> None:
    await asyncio.gather(*(_in_a_process(bare) for _ in range(3)))

    assert await current(bare) == head()
    assert await _seen(bare, _differences) == []


async def test_migration_that_fails_leaves_nothing_behind(bare: str) -> None:
    ledger = Ledger.open(bare)
    async with ledger.write() as db:  # the last table that the migration would make
        await db.exec_driver_sql("CREATE TABLE responses (id integer)")
    await ledger.close()

    with pytest.raises(Exception, match="responses"):
        await run(bare)

    assert await tables(bare) <= {"responses", "alembic_version"}
    assert await current(bare) is None
