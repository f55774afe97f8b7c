"""Nothing is killed: every fate that carriers know, on all four channels at once."""

from typing import Any

import pytest

from tests.journey.alerts import OPTIONS, Point, an_alert, number
from tests.journey.world import World

pytestmark = pytest.mark.journey

#: What people's numbers and mailboxes meet, and what their delivery must show in the end.
TEXTS = {
    "0000": "delivered",
    "1211": "failed",  # refused at once
    "0006": "failed",  # undelivered for good
    "0033": "delivered",  # at the second try
    "0012": "delivered",  # every receipt twice
    "0013": "delivered",  # the last receipt first
    "0429": "delivered",  # throttled twice
    "0410": "delivered",  # accepted, no answer: unknown, asked, found
    "0500": "delivered",  # accepted, answered 500: likewise
    "0504": "delivered",  # accepted, answered HTML: likewise
    "0502": "delivered",  # not accepted, answered 500: asked three times, repeated
    "0001": "acknowledged",  # replied 1
    "0009": "delivered",  # replied STOP
}
CALLS = {
    "0000": "answered",
    "0001": "acknowledged",
    "0022": "machine",
    "0500": "answered",
    "1214": "failed",
}
MAILS = {"somebody": "sent", "reject": "failed", "bounce-later": "failed", "policy": "failed"}
HOOKS = {
    "ok": "delivered",
    "410": "failed",
    "404": "failed",
    "429": "delivered",
    "503-then-ok": "delivered",
}


def expected(carrier: str) -> dict[tuple[str, str], str]:
    """Return the end of each contact point of the tables."""
    ends = {("sms", number(1, ending)): state for ending, state in TEXTS.items()}
    ends |= {("voice", number(2, ending)): state for ending, state in CALLS.items()}
    ends |= {("email", f"{name}@example.org"): state for name, state in MAILS.items()}
    ends |= {("webhook", f"{carrier}/hook/{name}"): state for name, state in HOOKS.items()}
    return ends


def test_every_fate_on_every_channel_ends_as_it_should(world: World) -> None:
    ends = expected(world.carrier_url)
    points: list[Point] = [{"channel": name, "address": where} for name, where in ends]

    alert = world.accept(an_alert(points, options=OPTIONS))
    world.wait_until(alert, lambda _: found(world, alert) == ends, "all have ended so")

    world.wait_until(alert, lambda _: number(1, "0009") in suppressed(world), "STOP is heard")
    mine = {delivery["id"] for delivery in world.deliveries(alert)}
    assert mine.isdisjoint(world.balance().repeats)


def found(world: World, alert: str) -> dict[tuple[str, str], str]:
    return {(d["channel"], d["address"]): d["state"] for d in world.deliveries(alert)}


def suppressed(world: World) -> list[str]:
    listed: list[dict[str, Any]] = world.api.get("/v1/suppressions")["suppressions"]
    return [each["address"] for each in listed]


def test_everybody_is_in_one_state_whoever_shares_a_phone_or_has_none(world: World) -> None:
    [shared] = [point["address"] for point in world.texts(1)]
    world.people(
        "name,locale,groups,sms,email\n"
        f"Ani,id,north,{shared},\n"
        f"Budi,en,north,{shared},budi@example.org\n"
        "Citra,id,north,,\n"
        f"Dewi,id,north,{number(4, '1211')},reject@example.org\n"
    )

    alert = world.accept(an_alert([], audience={"groups": ["north"]}))

    ends = {"delivered": 1, "sent": 1, "failed": 2}  # two of them share a phone
    world.wait_until(alert, lambda states: states == ends, "all have ended")
    assert len(world.messages(to=shared, kind="sms")) == 1
    people = world.api.get(f"/v1/alerts/{alert}")["counts"]["people"]["states"]
    assert {state: count for state, count in people.items() if count} == {
        "reached": 2,
        "not_reached": 1,
        "no_contact_point": 1,
    }
    world.balance()


def test_soft_bounce_after_everything_was_handed_over_is_tried_again(world: World) -> None:
    alert = world.accept(an_alert([{"channel": "email", "address": "full-later@example.org"}]))

    world.wait_until(
        alert, lambda _: len(world.messages(kind="email")) == 2, "it is sent again", seconds=40
    )

    assert world.api.post(f"/v1/alerts/{alert}/stop").status == 200
    world.balance()


def test_drill_goes_to_the_simulator_and_says_that_it_is_one(world: World) -> None:
    alert = world.accept(an_alert(world.texts(20), mode="test"))

    assert world.wait_until_arrived(alert, 20) == {"delivered": 20}
    assert {message["text"][:6] for message in world.messages(kind="sms")} != {"Water "}
    world.balance()
