"""An alert that is answered 202 is committed, announced, and can be looked at."""

import pytest

from ledger.engine import Ledger
from service.wiring import House
from tests.fakes.alerting import Village, alert, alerting_house, got, posted, settle_village
from tests.fakes.house import Client, Headers, QuietBell

pytestmark = pytest.mark.usefixtures("village")


@pytest.fixture
def house(ledger: Ledger) -> House:
    return alerting_house(ledger)


@pytest.fixture
async def village(ledger: Ledger) -> Village:
    return await settle_village(ledger)


async def test_accepted_alert_can_be_read_at_once(
    client: Client, house: House, officer: Headers
) -> None:
    status, accepted = await posted(client, officer, alert())

    assert (status, accepted["state"], accepted["people"]) == (202, "expanding", 3)
    _, read = await got(client, officer, accepted["links"]["self"])
    assert read["state"] == "expanding"
    assert read["words"]["id"]["headline"] == "Banjir"
    assert read["lane"] == "flash"
    assert read["counts"]["people"]["total"] == 0
    assert isinstance(house.queue, QuietBell)
    assert house.queue.rung == [(accepted["id"], "flash")]
