"""Bringing a database to the present schema, and telling how far it is."""

from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, create_engine, text
from sqlalchemy.engine import make_url
from sqlalchemy.ext.asyncio import create_async_engine

from ledger import (  # noqa: F401 - their tables join
    schema_caps,
    schema_people,
    schema_providers,
    schema_users,
)

#: Any fixed number will do: it keeps two migrations of one database apart.
_MIGRATION_LOCK = 0x6B656E74


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).with_name("migrations")))
    return config


def head() -> str:
    """Return the revision that this code needs."""
    found = ScriptDirectory.from_config(_config()).get_current_head()
    assert found is not None
    return found


async def upgrade(url: str, revision: str = "head") -> None:
    """Migrate the database at `url`; safe to run by several processes at once."""
    if url.startswith("sqlite"):
        _upgrade_sqlite(url, revision)
        return
    engine = create_async_engine(make_url(url).set(drivername="postgresql+asyncpg"))
    try:
        async with engine.begin() as db:
            await db.execute(text("SELECT pg_advisory_xact_lock(:n)"), {"n": _MIGRATION_LOCK})
            await db.run_sync(_run, revision)
    finally:
        await engine.dispose()


def _upgrade_sqlite(url: str, revision: str) -> None:
    """Migrate in one transaction of our own: the driver would commit after each CREATE TABLE."""
    engine = create_engine(make_url(url).set(drivername="sqlite"), isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as db:
            db.exec_driver_sql("PRAGMA busy_timeout=10000")
            db.exec_driver_sql("PRAGMA journal_mode=WAL")
            db.exec_driver_sql("BEGIN IMMEDIATE")
            try:
                _run(db, revision)
            except BaseException:
                db.exec_driver_sql("ROLLBACK")
                raise
            db.exec_driver_sql("COMMIT")
    finally:
        engine.dispose()


def _run(db: Connection, revision: str) -> None:
    config = _config()
    config.attributes["connection"] = db
    if revision == "base":
        command.downgrade(config, "base")
    else:
        command.upgrade(config, revision)


async def current(url: str) -> str | None:
    """Return the revision that the database is at; None for an empty one."""
    sqlite = url.startswith("sqlite")
    driver = "sqlite+aiosqlite" if sqlite else "postgresql+asyncpg"
    engine = create_async_engine(make_url(url).set(drivername=driver))
    try:
        async with engine.connect() as db:
            return await db.run_sync(
                lambda sync: MigrationContext.configure(sync).get_current_revision()
            )
    finally:
        await engine.dispose()
