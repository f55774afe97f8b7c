"""`kentongan key create`: an API key from the command line, for the first administrator."""

import argparse
import asyncio
import json
from collections.abc import Mapping
from enum import StrEnum
from typing import TypeVar

from cli.configured import configured
from cli.errors import CommandError, Exit
from kentongan.access import Role
from kentongan.alert import Mode
from ledger import keys
from ledger.engine import Ledger, LedgerAwayError

Word = TypeVar("Word", bound=StrEnum)


def create(arguments: argparse.Namespace, environ: Mapping[str, str]) -> Exit:
    """Make a key and print it: on its own to stdout, so that a script can take it."""
    role = word(Role, "--role", arguments.role)
    modes = [word(Mode, "--modes", mode.strip()) for mode in arguments.modes.split(",")]
    secret = keys.new_secret()
    made = asyncio.run(
        _keep(configured(environ).settings.database_url, secret, arguments.name, role, modes)
    )
    if arguments.json:
        print(json.dumps({"id": made.id, "name": made.name, "role": made.role, "key": secret}))
    else:
        print(secret)
    return Exit.DONE


async def _keep(url: str, secret: str, name: str, role: Role, modes: list[Mode]) -> keys.Key:
    ledger = Ledger.open(url)
    try:
        return await keys.ensure(ledger, secret, name=name, role=role, modes=modes)
    except LedgerAwayError as error:
        sentence = f"The ledger cannot take a key ({error}); is it there, and upgraded?"
        raise CommandError(sentence, Exit.UNREACHABLE) from None
    finally:
        await ledger.close()


def word(kind: type[Word], option: str, given: str) -> Word:
    """Return a word of a closed set; raise `CommandError` that says what there is."""
    try:
        return kind(given)
    except ValueError:
        known = ", ".join(kind)
        raise CommandError(f"{option} {given}: use one of {known}.", Exit.USAGE) from None
