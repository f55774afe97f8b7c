"""The service dies at any moment: what was answered 202 is sent, and nothing is there twice."""

import random
import secrets
import threading
import time

import pytest

from tests.fakes.processes import eventually
from tests.journey.alerts import an_alert
from tests.journey.client import Answer, NoAnswerError
from tests.journey.world import HANDED_OVER, World

pytestmark = pytest.mark.journey


def test_what_was_answered_202_is_sent_though_the_service_died_with_the_answer(
    world: World,
) -> None:
    alert = world.accept(an_alert(world.texts(100)))
    world.service.kill()

    eventually(lambda: len(world.messages(kind="sms")) == 100, "all are told without a service")

    world.service.start().wait_until_ready()
    assert world.wait_until_decided(alert, 100).keys() <= HANDED_OVER
    world.balance()


def test_what_was_never_rung_for_is_found_by_the_workers(world: World) -> None:
    world.valkey.stop()  # so that nobody can be rung for: the service dies between commit and ring
    alert = world.accept(an_alert(world.texts(30)))
    world.service.kill()
    world.valkey.start()

    eventually(lambda: len(world.messages(kind="sms")) == 30, "all are told")

    world.service.start().wait_until_ready()
    assert world.wait_until_decided(alert, 30).keys() <= HANDED_OVER
    world.balance()


def test_killed_at_any_moment_it_has_each_alert_once_when_callers_repeat(world: World) -> None:
    chance = random.Random(20)
    before = ids(world)
    alerts = set()
    for _ in range(4):
        key, body = secrets.token_hex(8), an_alert(world.texts(5))
        calling = threading.Thread(target=_call, args=(world, body, key))
        calling.start()
        time.sleep(chance.uniform(0, 0.04))
        world.service.kill()
        calling.join()
        world.service.start().wait_until_ready()

        repeats = [world.post(body, Idempotency_Key=key) for _ in range(2)]

        assert [answer.status for answer in repeats] == [202, 202]
        assert repeats[0].body == repeats[1].body
        alerts.add(str(repeats[0].body["id"]))

    assert ids(world) - before == alerts
    for alert in alerts:
        world.wait_until_decided(alert, 5)  # receipts may have come to a dead service
    world.balance()


def ids(world: World) -> set[str]:
    return {alert["id"] for alert in world.api.get("/v1/alerts")["alerts"]}


def _call(world: World, body: dict[str, object], key: str) -> Answer | None:
    try:
        return world.post(body, Idempotency_Key=key)
    except NoAnswerError:
        return None
