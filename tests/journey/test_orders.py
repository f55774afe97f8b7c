"""What people order in mid-run holds from that moment on: stop, correction, expiry, STOP."""

import pytest

from tests.journey.alerts import an_alert
from tests.journey.world import OURS, World

pytestmark = pytest.mark.journey


def test_correction_in_mid_run_reaches_exactly_those_who_may_have_got_the_original(
    world: World,
) -> None:
    world.behave(delay=0.3)
    original = world.accept(an_alert(world.texts(300)))
    world.wait_until(original, lambda states: states.get("accepted", 0) > 5, "it runs")

    cancel = {"text": "It was a mistake.", "type": "cancel", "references": [original]}
    correction = world.accept(an_alert([], audience=None, **cancel))

    states = world.wait_until_arrived(original, 300, but=["stopped"])
    told = {m["to"] for m in world.messages(kind="sms") if "mistake" not in m["text"]}
    assert states == {"delivered": len(told), "stopped": 300 - len(told)}
    assert 0 < len(told) < 300
    assert world.wait_until_arrived(correction, len(told)) == {"delivered": len(told)}
    corrected = {m["to"] for m in world.messages(kind="sms") if "mistake" in m["text"]}
    assert corrected == told
    world.balance()  # no attempt was opened after the stop's commit


def test_pause_holds_everything_and_resume_sends_the_rest(world: World) -> None:
    alert = world.accept(an_alert(world.texts(150)))
    world.wait_until(alert, lambda states: states.get("delivered", 0) > 0, "it runs")

    assert world.api.post(f"/v1/alerts/{alert}/pause").status == 200
    world.wait_until(alert, lambda states: states.keys() <= {"waiting", "delivered"}, "it rests")
    assert world.api.post(f"/v1/alerts/{alert}/resume").status == 200

    assert world.wait_until_arrived(alert, 150) == {"delivered": 150}
    world.balance()


def test_nothing_is_sent_at_the_end_of_an_alerts_life(world: World) -> None:
    alert = world.accept(an_alert(world.texts(400), expires_in=15))  # the last 10 s are too short

    states = world.wait_until_arrived(alert, 400, but=["expired"])

    assert states["expired"] > 0
    assert states["delivered"] > 0
    world.balance()


def test_who_says_stop_in_mid_run_gets_nothing_more(world: World) -> None:
    points = world.texts(300)
    last = points[-1]["address"]
    alert = world.accept(an_alert(points))

    said = {"from": last, "to": OURS, "body": " Stop. "}
    assert world.carrier.post("/control/inbound", said).body["status"] == 200

    states = world.wait_until_arrived(alert, 300, but=["suppressed"])
    assert states == {"delivered": 299, "suppressed": 1}
    assert world.messages(to=last, kind="sms") == []
    world.balance()
