"""An alert that waits for its hour goes out once, then, however many workers look for it."""

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from tests.journey.alerts import an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey

JAKARTA = ZoneInfo("Asia/Jakarta")


@pytest.fixture
def crowded(world: World) -> Iterator[World]:
    """A world with a third worker."""
    third = world.processes.worker().start()
    third.wait_until_logged('"ready"')
    yield world
    third.stop()


def test_three_workers_fire_an_alert_once_and_not_before_its_hour(crowded: World) -> None:
    send_at = (datetime.now(UTC) + timedelta(seconds=5)).replace(microsecond=0)
    local = send_at.astimezone(JAKARTA).replace(tzinfo=None).isoformat()
    body = an_alert(crowded.texts(150), send_at=local, zone="Asia/Jakarta")

    alert = crowded.accept(body)

    shown = crowded.api.get(f"/v1/alerts/{alert}")
    assert (shown["state"], shown["zone"]) == ("scheduled", "Asia/Jakarta")
    assert datetime.fromisoformat(shown["send_at"]) == send_at
    assert shown["send_at"].endswith("+07:00")
    assert crowded.wait_until_arrived(alert, 150) == {"delivered": 150}
    told = crowded.messages(kind="sms")
    assert set(Counter(message["to"] for message in told).values()) == {1}
    assert min(message["at"] for message in told) >= send_at.timestamp()
    crowded.balance()
