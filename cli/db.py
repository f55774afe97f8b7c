"""`kentongan db upgrade`: the ledger gets the schema that this version needs."""

import argparse
import asyncio
from collections.abc import Mapping

from cli.configured import Configured, configured
from cli.errors import CommandError, Exit
from ledger import migrate as migration
from ledger.engine import Ledger, LedgerAwayError


def upgrade(_arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Migrate, and say from where to where. Safe to run twice, and by several at once."""
    before, after = migrate(configured(environ))
    print(
        f"The ledger is at {after}" + ("." if before == after else f" (was: {before or 'empty'}).")
    )
    return Exit.DONE


def migrate(run: Configured) -> tuple[str | None, str]:
    """Bring the ledger up to date; return its revisions before and after; raise `CommandError`."""
    return asyncio.run(_migrate(run.settings.database_url))


async def _migrate(url: str) -> tuple[str | None, str]:
    ledger = Ledger.open(url)
    try:
        await ledger.now()
    except LedgerAwayError as error:
        raise CommandError(
            f"The database of KENTONGAN_DATABASE_URL cannot be reached ({error}).",
            Exit.UNREACHABLE,
        ) from None
    finally:
        await ledger.close()
    before = await migration.current(url)
    await migration.upgrade(url)
    return before, migration.head()
