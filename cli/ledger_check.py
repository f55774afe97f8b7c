"""`kentongan ledger check`: do the books balance?"""

import argparse
import asyncio
import json
from collections.abc import Mapping
from importlib import import_module

from cli.configured import configured
from cli.errors import CommandError, Exit
from ledger.engine import Ledger, LedgerAwayError


def check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print what does not add up; exit 1 if anything does not."""
    faults = asyncio.run(_check(configured(environ).settings.database_url))
    if arguments.json:
        print(json.dumps({"balances": not faults, "faults": faults}))
    else:
        print("\n".join(faults) or "The books balance.")
    return Exit.BROKEN if faults else Exit.DONE


async def _check(url: str) -> list[str]:
    ledger = Ledger.open(url)
    try:
        return [str(fault) for fault in await import_module("ledger.check").check(ledger)]
    except LedgerAwayError as error:
        sentence = f"The database of KENTONGAN_DATABASE_URL cannot be reached ({error})."
        raise CommandError(sentence, Exit.UNREACHABLE) from None
    finally:
        await ledger.close()
