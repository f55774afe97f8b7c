"""A database server that hangs is away as soon as one that has gone."""

import asyncio
import os
import signal
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from ledger.engine import SERVICE_PATIENCE, Ledger, LedgerAwayError, read_now
from tests.fakes.postgres import Postgres


@pytest.fixture
def freezable() -> Iterator[Postgres]:
    """A PostgreSQL of one test's own; it thaws in the end, since only so it can be stopped."""
    server = Postgres.running()
    if not server.can_stop:
        pytest.skip("KENTONGAN_TEST_DATABASE_URL names a server that is not ours to freeze")
    yield server
    signal_all(server, signal.SIGCONT)
    server.close()


def signal_all(server: Postgres, kind: signal.Signals) -> None:
    assert server.pid is not None
    backends = Path(f"/proc/{server.pid}/task/{server.pid}/children").read_text().split()
    for pid in (server.pid, *map(int, backends)):
        with suppress(ProcessLookupError):  # a backend that has just ended
            os.kill(pid, kind)


@pytest.mark.parametrize("frozen", ["before", "within", "at the end"])
async def test_frozen_server_is_waited_for_once(freezable: Postgres, frozen: str) -> None:
    ledger = Ledger.open(freezable.url(), patience=SERVICE_PATIENCE)
    await ledger.now()  # a connection lies ready, and is as dead as the server then

    async def use() -> None:
        async with ledger.write() as db:
            await read_now(db)
            if frozen != "before":
                signal_all(freezable, signal.SIGSTOP)
            if frozen == "within":
                await read_now(db)

    if frozen == "before":
        signal_all(freezable, signal.SIGSTOP)
    using = asyncio.create_task(use())
    # Waiting twice, for a statement and then for its rollback, would take longer than this.
    await asyncio.wait({using}, timeout=1.9 * SERVICE_PATIENCE)
    ended = using.done()
    signal_all(freezable, signal.SIGCONT)

    assert ended
    assert isinstance(using.exception(), LedgerAwayError)
    await ledger.now()
    await ledger.close()
