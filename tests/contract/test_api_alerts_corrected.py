"""A correction stops its original and goes to exactly those who may have got that."""

from typing import Any

import pytest

from kentongan.alert import Control
from kentongan.audience import Who
from kentongan.clock import seconds
from kentongan.ids import KeyId
from ledger import alerts, expansion
from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.alerting import Village, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers
from tests.fakes.running import Running, expanded, tried

pytestmark = pytest.mark.usefixtures("village")

PEOPLE = {
    "Siti": [("sms", "+628111000001")],
    "Budi": [("sms", "+628111000002")],
    "Dewi": [("sms", "+628111000003")],
    "Wati": [],
}


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


@pytest.fixture
async def original(ledger: Ledger) -> Running:
    """Siti got it, Budi's attempt is open, Dewi's never left; nothing reaches Wati."""
    running = await expanded(ledger, PEOPLE, channels=("sms",))
    for address, outcome in (
        ("+628111000001", "accepted"),
        ("+628111000002", None),
        ("+628111000003", "not_begun"),
    ):
        await tried(ledger, running.alert.id, running.delivery(address), outcome=outcome)
    return running


def correction(original: Running, **changes: Any) -> dict[str, Any]:
    return {
        "mode": "exercise",
        "type": "cancel",
        "references": [original.alert.id],
        "text": "There is no flood.",
        "headline": "Withdrawn",
    } | changes


@pytest.mark.parametrize("how", [{}, {"type": "update", "stop_original": True}])
async def test_correction_stops_its_original_and_takes_its_audience(
    client: Client,
    officer: Headers,
    ledger: Ledger,
    original: Running,
    how: dict[str, Any],
) -> None:
    status, accepted = await posted(client, officer, correction(original, **how))

    assert (status, accepted["people"], accepted["never_told"]) == (202, None, 2)
    async with ledger.read() as db:
        kept = await alerts.get(db, accepted["id"])
        stopped = await alerts.get(db, original.alert.id)
        due = await expansion.progress(db, accepted["id"])
    assert kept is not None
    assert kept.corrects == original.alert.id
    assert kept.audience.of is not None
    assert kept.audience.of.who is Who.MAY_HAVE_GOT
    assert (kept.lane, kept.channels) == ("flash", ("sms",))
    assert stopped is not None
    assert stopped.control is Control.STOPPED
    assert due is not None
    assert 0 <= due.expand_at - kept.accepted_at - seconds(12) < seconds(5)
    _, read = await got(client, officer, f"/v1/alerts/{original.alert.id}")
    assert read["state"] == "stopped"


async def test_original_that_was_stopped_already_can_be_corrected(
    client: Client, officer: Headers, original: Running
) -> None:
    async with client.post(f"/v1/alerts/{original.alert.id}/stop", headers=officer):
        pass

    assert (await posted(client, officer, correction(original)))[0] == 202


async def test_dry_run_of_a_correction_stops_nothing(
    client: Client, officer: Headers, original: Running
) -> None:
    status, told = await posted(client, officer, correction(original), query="?dry_run=true")

    assert (status, told["people"], told["never_told"]) == (200, 2, 2)
    assert told["deliveries"] == {"sms": 2}
    _, read = await got(client, officer, f"/v1/alerts/{original.alert.id}")
    assert read["state"] == "sending"


@pytest.mark.parametrize(
    ("changes", "at"),
    [
        ({"mode": "test"}, "mode"),
        ({"audience": {"groups": ["north"]}}, "audience"),
        ({"send_at": "2099-01-01T00:00:00Z"}, "send_at"),
        ({"references": ["alr_" + "0" * 26]}, "references/0"),
    ],
)
async def test_what_a_correction_cannot_be_is_refused(
    client: Client, officer: Headers, original: Running, changes: dict[str, Any], at: str
) -> None:
    status, answer = await posted(client, officer, correction(original, **changes))

    assert status == 422
    assert at in {fault["at"] for fault in answer["errors"]}
    _, read = await got(client, officer, f"/v1/alerts/{original.alert.id}")
    assert read["state"] == "sending"


async def test_correction_has_one_original(
    client: Client, officer: Headers, ledger: Ledger, original: Running
) -> None:
    other = await expanded(ledger, PEOPLE)
    both = [original.alert.id, other.alert.id]

    status, answer = await posted(client, officer, correction(original, references=both))

    assert status == 422
    assert [fault["at"] for fault in answer["errors"]] == ["references"]


async def test_somebody_elses_alert_is_not_there_for_an_integration(
    client: Client, integration: Headers, original: Running
) -> None:
    status, answer = await posted(client, integration, correction(original))

    assert status == 422
    assert [fault["at"] for fault in answer["errors"]] == ["references/0"]


async def test_update_without_a_stop_goes_where_it_is_sent(
    client: Client, officer: Headers, original: Running
) -> None:
    body = alert(
        type="update",
        references=[original.alert.id],
        audience={"of": {"alert": original.alert.id, "who": "not_reached"}},
    )

    status, accepted = await posted(client, officer, body)

    assert (status, accepted["people"], accepted["never_told"]) == (202, 4, None)
    _, read = await got(client, officer, f"/v1/alerts/{original.alert.id}")
    assert read["state"] == "sending"


async def test_all_clear_overtakes_what_is_routine(
    client: Client, officer: Headers, ledger: Ledger, original: Running
) -> None:
    body = {
        "mode": "exercise",
        "type": "update",
        "references": [original.alert.id],
        "template": "all_clear",
        "blanks": {"hazard": "banjir", "place": "Semarang", "since": "21.00 WIB"},
        "audience": {"groups": ["north"]},
    }

    _, accepted = await posted(client, officer, body)

    async with ledger.read() as db:
        kept = await alerts.get(db, accepted["id"])
    assert kept is not None
    assert kept.lane == "flash"
    assert kept.made_by != KeyId("")
