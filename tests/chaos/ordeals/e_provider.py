"""The provider throttles, fails after accepting, hangs, answers nonsense, turns us out, is down."""

import time

from tests.chaos.ordeal import Limits, Ordeal
from tests.chaos.stage import Stage
from tests.journey.alerts import Point
from tests.journey.world import HANDED_OVER

#: Ends of numbers (docs/simulator.md): throttled, failing or silent after accepting, and those that
#: never take it. One that answers 401 would keep the whole provider aside; that is done below.
_TROUBLE = ("0429", "0500", "0408", "0410", "0502", "0504", "0409", "0501", "0503", "0301")
_MAILBOXES = ("greylist", "drop-after-data", "slow")
#: How the whole REST API fails, for a while in mid-run.
_FAILURES = ("401", "429", "500", "503", "hang", "close")
#: Seconds in which people with trouble are tried; then it is over for those who never get it.
_PATIENCE = 200
#: An alert that dies while its provider is down, in seconds.
_LIFE = 25


def provider(stage: Stage, count: int) -> None:
    world, load = stage.world, stage.load
    with load.flowing():
        for turn in range(count):
            load.post(_troubled(stage, turn), expires_in=_PATIENCE)
            for failure in _FAILURES:
                time.sleep(stage.chance.uniform(1, 2))
                world.behave(fail=failure, mail="421" if failure == "503" else None)
                stage.strike(failure)
                time.sleep(stage.chance.uniform(2, 5))
                world.behave(fail=None, mail=None)


def down(stage: Stage, count: int) -> None:
    """Down until past the life of what is waiting: nothing of it is sent when it comes back."""
    world, load = stage.world, stage.load
    for _ in range(count):
        world.behave(fail="503")
        stage.strike("down")
        doomed = [load.post(world.texts(60), expires_in=_LIFE) for _ in range(2)]
        time.sleep(600 if stage.is_full else _LIFE + 5)
        world.behave(fail=None)
        alive = load.post(world.texts(20))
        for alert in doomed:
            # What the provider answered with 503 may have been sent, for all we know: it is asked.
            states = world.wait_until_decided(alert, 60, seconds=240)
            if states.keys() - {"expired", "failed"}:
                stage.blame(f"an alert that had expired ended as {states}")
        if alive:
            world.wait_until_decided(alive, 20)


def _troubled(stage: Stage, turn: int) -> list[Point]:
    """Return people whose carrier fails in one way or another."""
    texts: list[Point] = [
        {"channel": "sms", "address": f"+62813{turn:04d}{place}{end}"}
        for end in _TROUBLE
        for place in range(3)
    ]
    mails: list[Point] = [
        {"channel": "email", "address": f"{box}+{turn}.{place}@example.org"}
        for box in _MAILBOXES
        for place in range(5)
    ]
    hooks: list[Point] = [
        {"channel": "webhook", "address": f"{stage.world.carrier_url}/hook/503-then-ok/{turn}.{n}"}
        for n in range(5)
    ]
    return [*texts, *mails, *hooks]


_ENDS = HANDED_OVER | {"answered", "machine"}

ORDEALS = [
    Ordeal(
        name="provider",
        run=provider,
        plain=3,
        full=20,
        # A call that the provider does not know after a 5xx is never repeated (design, section 6),
        # nor is a routine text.
        ends=_ENDS | {"failed", "expired"},
        # A circuit stays open until its probe, and a retry waits its turn.
        limits=Limits(flash=60, routine=60),
        patience=400,
    ),
    Ordeal(
        name="provider down past an alert's life",
        run=down,
        plain=1,
        full=1,
        ends=_ENDS | {"expired", "failed"},
        limits=Limits(flash=900, routine=900),
    ),
]
