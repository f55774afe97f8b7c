"""A worker expands an alert of many pages: nobody twice, nobody lost, whatever pages share."""

from collections.abc import Sequence
from typing import Any

import pytest

from kentongan.alert import Alert, Control
from kentongan.audience import Audience
from kentongan.expansion import Point, Stage
from kentongan.ids import GroupId
from kentongan.recipient import Draft
from ledger import alerts, groups, recipients
from ledger.check import check
from ledger.engine import Ledger, read_now
from tests.fakes import asked
from tests.fakes.expanding import accepted, addressed, counted, stands
from tests.fakes.hands import DullChannel, working
from tests.fakes.valkey import PrivateValkey
from workers.expand import PAGE, expand_some
from workers.queue import Queue

#: More than a page, so that there is a second one.
MANY = PAGE + 40


async def a_crowd(ledger: Ledger, points: Sequence[Point]) -> GroupId:
    """Return a group of as many people as `points`, each with one of them."""
    async with ledger.write() as db:
        now = await read_now(db)
        group = (await groups.ensure(db, {"north": "North"}, now))["north"]
        everyone = [
            Draft(name=f"P{n}", points=(point,), groups=frozenset({group}))
            for n, point in enumerate(points)
        ]
        await recipients.add(db, everyone, now)
    return group


async def expand_by_a_worker(ledger: Ledger, alert: Alert) -> Any:
    async with working(ledger, DullChannel()) as run:
        return await expand_some(run, alert.id)


async def test_address_that_pages_share_gets_one_delivery_that_counts_for_all(
    ledger: Ledger,
) -> None:
    own: list[Point] = [("sms", f"+{n}") for n in range(MANY)]
    group = await a_crowd(ledger, [*own[:-1], own[0]])  # the last person shares with the first
    alert = await accepted(ledger, Audience(groups=(group,)))

    left = await expand_by_a_worker(ledger, alert)

    assert left is None
    assert (await stands(ledger, alert)).stage is Stage.DONE
    assert await counted(ledger, alert) == (MANY, MANY - 1)
    assert await addressed(ledger, alert) == sorted(own[:-1])
    assert await check(ledger) == []


async def test_alert_to_a_group_is_expanded_by_one_page_where_there_are_few(ledger: Ledger) -> None:
    group = await a_crowd(ledger, [("sms", "+1"), ("sms", "+2"), ("voice", "+3")])
    alert = await accepted(ledger, Audience(groups=(group,)))

    await expand_by_a_worker(ledger, alert)

    assert await counted(ledger, alert) == (3, 2)
    assert await check(ledger) == []


async def test_alert_to_nobody_is_done(ledger: Ledger) -> None:
    alert = await accepted(ledger, Audience())

    await expand_by_a_worker(ledger, alert)

    assert (await stands(ledger, alert)).stage is Stage.DONE
    assert await counted(ledger, alert) == (0, 0)


async def test_stopped_alert_is_not_expanded(ledger: Ledger) -> None:
    group = await a_crowd(ledger, [("sms", "+1")])
    alert = await accepted(ledger, Audience(groups=(group,)))
    await asked.stop(ledger, alert.id)

    left = await expand_by_a_worker(ledger, alert)

    assert left is None
    assert await counted(ledger, alert) == (0, 0)


@pytest.mark.parametrize("control", [Control.ACTIVE, Control.PAUSED])
async def test_alert_is_expanded_though_it_is_paused_and_then_rings_for_no_sends(
    ledger: Ledger, valkey: PrivateValkey, queue: Queue, control: Control
) -> None:
    group = await a_crowd(ledger, [("sms", f"+{n}") for n in range(MANY)])
    alert = await accepted(ledger, Audience(groups=(group,)))
    async with ledger.write() as db:
        await alerts.set_control(db, alert.id, control, by="officer", now=await read_now(db))

    async with working(ledger, DullChannel(), redis=valkey.url) as run:
        await expand_some(run, alert.id)

    assert await counted(ledger, alert) == (MANY, MANY)
    assert bool(await queue.redis.keys("turn:*")) is (control is Control.ACTIVE)
