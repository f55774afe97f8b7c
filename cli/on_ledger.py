"""How a command works on the ledger: opened for it alone, and its absence said in a sentence."""

from collections.abc import Awaitable, Callable
from typing import TypeVar

from cli.errors import CommandError, Exit
from ledger.engine import Ledger, LedgerAwayError

T = TypeVar("T")

#: Who did it, in the audit.
ACTOR = "command line"


async def on_ledger(url: str, work: Callable[[Ledger], Awaitable[T]]) -> T:
    """Do `work` on the ledger at `url` and close it; raise `CommandError` where it is away."""
    ledger = Ledger.open(url)
    try:
        return await work(ledger)
    except LedgerAwayError as error:
        sentence = f"The database of KENTONGAN_DATABASE_URL cannot be reached ({error})."
        raise CommandError(sentence, Exit.UNREACHABLE) from None
    finally:
        await ledger.close()
