"""`kentongan dead` lists what was given up, and tries it again."""

import asyncio
import json
from pathlib import Path

import pytest

from cli.errors import Exit
from cli.main import main
from kentongan.delivery import Work
from kentongan.outcome import Reason
from ledger.engine import Ledger
from ledger.migrate import upgrade
from tests.fakes.running import Running, becomes, expanded, tried


@pytest.fixture
def running(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Running:
    """An alert with one delivery that was given up, in the ledger that the command finds."""
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    monkeypatch.setenv("KENTONGAN_DATABASE_URL", url)

    async def made() -> Running:
        await upgrade(url)
        ledger = Ledger.open(url)
        running = await expanded(ledger, {"Siti": [("sms", "+1")], "Budi": [("sms", "+2")]})
        one = running.delivery("+1")
        await tried(ledger, running.alert.id, one, outcome="deferred", reason=Reason.BUG)
        await becomes(ledger, one, work=Work.FAILED, reason=Reason.BUG, attempts=1)
        await ledger.close()
        return running

    return asyncio.run(made())


def test_what_was_given_up_is_listed_and_after_its_replay_no_more(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead", "list"]) == Exit.DONE
    assert capsys.readouterr().out == f"{running.delivery('+1')}  sms  bug\n"

    assert main(["dead", "replay", "--reason", "bug", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["replayed"] == 1

    assert main(["dead", "list", "--json"]) == Exit.DONE
    assert json.loads(capsys.readouterr().out)["dead_letters"] == []


def test_replay_of_everything_has_to_be_meant(
    running: Running, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["dead", "replay"]) == Exit.USAGE

    assert running.page.deliveries
    assert "--reason" in capsys.readouterr().err
