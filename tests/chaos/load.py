"""Callers who post an alert each second and repeat it under its key until they hear 202."""

import random
import threading
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from kentongan.alert import Lane
from tests.journey.alerts import Point, an_alert
from tests.journey.client import Client, NoAnswerError
from tests.journey.world import World

#: Deliveries a second, over all channels: less than the paces allow, so that what stands still
#: stands still because of the fault.
PER_SECOND = 40
_CALLERS = 16
_ASK_AGAIN = 0.3
_NO_LONGER = 180.0


@dataclass(frozen=True, slots=True)
class Accepted:
    """An alert that was answered 202."""

    lane: Lane
    deliveries: int
    at: float  # epoch seconds


class Load:
    """Waves of alerts over all channels, half of them flash; the same ones for the same seed."""

    def __init__(self, world: World, chance: random.Random) -> None:
        self._world, self._chance = world, chance
        self._api = Client(world.url, world.key, timeout=15)
        self._posted = 0
        self.accepted: dict[str, Accepted] = {}
        #: What callers heard before their 202: a status, or "no answer".
        self.heard: Counter[str] = Counter()
        self.wrong: list[str] = []
        self.slowest = 0.0
        #: Changes to the body of every alert.
        self.changes: dict[str, Any] = {}
        self.per_second = PER_SECOND
        #: While this is true nothing new is posted.
        self.rests = False

    @contextmanager
    def flowing(self) -> Iterator[None]:
        """Post while the block runs, and return when all have been accepted."""
        ending = threading.Event()
        with ThreadPoolExecutor(_CALLERS) as callers:
            waves = callers.submit(self._waves, callers, ending)
            try:
                yield
            finally:
                ending.set()
                waves.result()

    def post(self, points: Sequence[Point], lane: Lane = Lane.FLASH, **changes: Any) -> str:
        """Post one alert, and return its id once it has been accepted; empty if it never is."""
        self._posted += 1
        calm = {} if lane is Lane.FLASH else {"severity": "moderate", "urgency": "expected"}
        body = an_alert(points, **{**calm, **self.changes, **changes})
        return self._until_accepted(f"chaos-{self._posted}", body, lane, len(points))

    def _waves(self, callers: ThreadPoolExecutor, ending: threading.Event) -> None:
        due = time.monotonic()
        while not ending.wait(max(0.0, due - time.monotonic())):
            if not self.rests:
                lane = self._chance.choice([Lane.FLASH, Lane.ROUTINE])
                callers.submit(self.post, everyone(self._world, self.per_second), lane)
            due += 1

    def _until_accepted(self, key: str, body: dict[str, Any], lane: Lane, count: int) -> str:
        began = time.monotonic()
        while time.monotonic() - began < _NO_LONGER:
            asked = time.monotonic()
            try:
                answer = self._api.post("/v1/alerts", body, Idempotency_Key=key)
            except NoAnswerError:
                self.heard["no answer"] += 1
            else:
                self.slowest = max(self.slowest, time.monotonic() - asked)
                if answer.status == 202:
                    self.accepted[answer.body["id"]] = Accepted(lane, count, time.time())
                    return str(answer.body["id"])
                self.heard[str(answer.status)] += 1
                # 409: the twin is still being accepted, by a service that has died since.
                if answer.status not in {409, 503}:
                    self.wrong.append(f"the service answered {answer.status}: {answer.body}")
                    return ""
            time.sleep(_ASK_AGAIN)
        self.wrong.append(f"an alert was not accepted in {_NO_LONGER:g} s")
        return ""


def everyone(world: World, count: int) -> list[Point]:
    """Return `count` contact points that nobody had before: most get texts, some all else."""
    eighth = count // 8
    texts = world.texts(count - 3 * eighth)
    numbers = [point["address"][1:] for point in world.texts(2 * eighth)]
    mails = [{"channel": "email", "address": f"p{n}@example.org"} for n in numbers[:eighth]]
    hooks = [
        {"channel": "webhook", "address": f"{world.carrier_url}/hook/{n}"} for n in numbers[eighth:]
    ]
    return [*texts, *world.calls(eighth), *mails, *hooks]
