"""A worker that is asked to stop finishes what it began and hands back the rest."""

import pytest

from tests.journey.alerts import an_alert
from tests.journey.world import World

pytestmark = pytest.mark.journey


def test_workers_replaced_one_by_one_in_mid_run_leave_nothing_unknown(world: World) -> None:
    world.behave(delay=0.3)
    alert = world.accept(an_alert(world.texts(250)))
    world.wait_until(alert, lambda states: states.get("accepted", 0) > 0, "it runs")

    codes = []
    for worker in world.workers:
        codes.append(worker.stop())
        worker.start()

    assert codes == [0, 0]
    assert world.wait_until_arrived(alert, 250) == {"delivered": 250}
    assert outcomes(world, alert) <= {"accepted", "not_begun"}
    world.balance()


def outcomes(world: World, alert: str) -> set[str]:
    """Return how attempts of an alert have ended."""
    told = (world.api.get(f"/v1/deliveries/{each['id']}") for each in world.deliveries(alert))
    return {attempt["outcome"] for delivery in told for attempt in delivery["tries"]}
