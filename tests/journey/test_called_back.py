"""What the provider still holds when an alert ends is called back, and reaches nobody."""

from collections.abc import Iterator

import pytest

from tests.fakes.processes import eventually
from tests.journey.alerts import an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey


@pytest.fixture
def slow(world: World) -> Iterator[World]:
    """A world whose carrier holds what it takes for a minute, as one whose line is busy."""
    world.behave(held=60)
    yield world
    world.behave(held=0)


def test_texts_and_calls_that_the_provider_holds_at_a_stop_reach_nobody(slow: World) -> None:
    alert = slow.accept(an_alert([*slow.texts(30), *slow.calls(4)]))
    slow.wait_until(alert, lambda states: states == {"accepted": 34}, "all is handed over")

    assert slow.api.post(f"/v1/alerts/{alert}/stop").status == 200

    slow.wait_until(alert, lambda states: states == {"stopped": 34}, "all is called back", 30)
    assert {m["status"] for m in slow.messages()} == {"canceled"}
    assert told_of_one(slow, alert) == {"recall"}
    slow.balance()


def test_call_that_the_provider_holds_at_the_end_of_an_alerts_life_is_not_made(
    slow: World,
) -> None:
    alert = slow.accept(an_alert(slow.calls(4), expires_in=16))
    slow.wait_until(alert, lambda states: states == {"accepted": 4}, "all is handed over", 5)

    slow.wait_until(alert, lambda states: states == {"expired": 4}, "all is called back", 30)

    assert {m["status"] for m in slow.messages()} == {"canceled"}
    slow.balance()


def test_call_back_that_the_provider_could_not_take_is_tried_again(slow: World) -> None:
    alert = slow.accept(an_alert(slow.calls(2)))
    slow.wait_until(alert, lambda states: states == {"accepted": 2}, "all is handed over")
    slow.behave(fail="503")

    assert slow.api.post(f"/v1/alerts/{alert}/stop").status == 200
    eventually(lambda: "called back" in logs(slow), "it was tried")
    assert slow.states(alert) == {"accepted": 2}
    slow.behave(fail=None)

    slow.wait_until(alert, lambda states: states == {"stopped": 2}, "all is called back", 60)
    slow.balance()


def told_of_one(world: World, alert: str) -> set[str]:
    """Return the kinds of reports that a delivery shows beside its provider's callbacks."""
    [first, *_] = world.api.get(f"/v1/alerts/{alert}/deliveries")["deliveries"]
    timeline = world.api.get(f"/v1/deliveries/{first['id']}")["timeline"]
    return {moment["word"] for moment in timeline if moment["what"] == "report"} - {"status"}


def logs(world: World) -> str:
    return "".join(worker.read_log() for worker in world.workers)
