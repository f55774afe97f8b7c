"""Twenty thousand texts wait for one sender: who comes later is not left to wait for them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from bench.books import opened
from bench.people import Crowd
from bench.queued import in_an_hour, queue_up
from tests.fakes.processes import eventually
from tests.journey.alerts import Point, an_alert
from tests.journey.world import World, waited_for

# Their books are not held against each other: the world that they leave is not used again.
pytestmark = pytest.mark.journey

ROUTINE = {"severity": "moderate", "urgency": "expected"}
QUEUED = 20_000
FLOWING = 30


@contextmanager
def queued(world: World, alerts: int) -> Iterator[None]:
    """Have so many routine alerts flow, with 20,000 texts in total; stop them at the end."""
    body = an_alert(world.texts(1), channels=["sms"], send_at=in_an_hour(), **ROUTINE)
    made = [world.accept(body) for _ in range(alerts)]
    # Numbers that end in 55 behave as any.
    each = Crowd(group="", channel="sms", people=QUEUED // alerts, before="+6281", after="55")

    async def fill() -> None:
        async with opened(world.database_url) as books:
            for alert in made:
                await queue_up(books, alert, each)

    waited_for(fill())
    eventually(lambda: len(world.messages(kind="sms")) > FLOWING, "they flow", 60)
    yield
    for alert in made:
        assert world.api.post(f"/v1/alerts/{alert}/stop").status == 200


def sent_before(world: World, later: list[Point], **kind: str) -> int:
    """Post an alert to `later`; return how many others got a text before the last of them did."""
    since = world.carrier.get("/livez")["records"]
    numbers = {point["address"] for point in later}
    world.accept(an_alert(later, **kind))

    def heard() -> list[bool]:
        """Tell of each text since then, newest first, whether it was one of ours."""
        messages = world.messages(after=str(since), kind="sms")
        return [message["to"] in numbers for message in messages]

    eventually(lambda: sum(heard()) == len(later), "all of the later alert were told", 60)
    found = heard()
    return len(found) - found.index(True) - len(later)


def test_alert_to_ten_is_not_starved_by_one_to_twenty_thousand(world: World) -> None:
    with queued(world, alerts=1):
        others = sent_before(world, world.texts(10), **ROUTINE)

    # They take turns: as many of the one as of the other, and those of the time until then.
    assert others < QUEUED / 40


def test_flash_alert_passes_forty_routine_ones(world: World) -> None:
    with queued(world, alerts=40):
        others = sent_before(world, world.texts(10))

    # Taking turns with the forty, it would let ten of each pass.
    assert others < 10 * 40 / 2
