"""`kentongan ledger check`: do the books balance?"""

import argparse
import asyncio
import json
from collections.abc import Mapping

from cli import simulator_book
from cli.configured import Configured, configured
from cli.errors import CommandError, Exit
from kentongan.keyring import Keyring
from ledger.check import MOST
from ledger.check import check as check_ledger
from ledger.check_book import Comparison, compare
from ledger.engine import Ledger, LedgerAwayError


def check(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Print what does not add up; exit 9 if anything does not.

    `--simulator` holds the ledger against that simulator's book too; give it only where every
    channel sends there, as under `kentongan up`.
    """
    found = asyncio.run(_check(configured(environ), arguments.simulator))
    if arguments.json:
        told = [{"kind": f.kind, "subject": f.subject, "said": f.said} for f in found.faults]
        print(json.dumps({"balances": not told, "faults": told, "repeats": found.repeats}))
    else:
        _say(found)
    return Exit.UNBALANCED if found.faults else Exit.DONE


def _say(found: Comparison) -> None:
    for fault in found.faults:
        print(fault)
    if len(found.faults) >= MOST:
        print(f"… and perhaps more: only the first {MOST:,} of the ledger's own are told.")
    if found.repeats:
        print(
            f"{len(found.repeats)} deliveries were taken again under their one id, as is allowed."
        )
    if not found.faults:
        print("The books balance.")


async def _check(run: Configured, simulator: str | None) -> Comparison:
    secrets = [key.get_secret_value() for key in run.settings.secret_key]
    ledger = Ledger.open(run.settings.database_url)
    try:
        found = Comparison()
        if simulator:
            book = simulator_book.entries(simulator)
            found = await compare(ledger, book, simulator_book.CHANNELS)
        own = await check_ledger(ledger, Keyring(secrets) if secrets else None)
        return Comparison(faults=[*own, *found.faults], repeats=found.repeats)
    except LedgerAwayError as error:
        sentence = f"The database of KENTONGAN_DATABASE_URL cannot be reached ({error})."
        raise CommandError(sentence, Exit.UNREACHABLE) from None
    finally:
        await ledger.close()
