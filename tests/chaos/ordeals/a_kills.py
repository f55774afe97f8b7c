"""kill -9 of the service and of workers, the leader among them, at random moments."""

import time

from tests.chaos.ordeal import Limits, Ordeal
from tests.chaos.stage import Stage
from tests.journey.world import HANDED_OVER

#: Seconds from the start of the last victim until the next is killed, at most.
_PAUSE = 4.0
#: How often the next does not wait until the last is back at work. On a slow machine there would be
#: no work to disturb if none did.
_AT_ONCE = 0.25


def kills(stage: Stage, count: int) -> None:
    stage.world.behave(delay=0.1)  # so that many a death falls between the request and its answer
    _killing(stage, count)


def blind_kills(stage: Stage, count: int) -> None:
    """The same while the provider neither lists what it has nor calls back."""
    stage.world.behave(delay=0.1, listing=False, callbacks=False)
    _killing(stage, count)


def _killing(stage: Stage, count: int) -> None:
    everything = [stage.world.service, *stage.world.workers]
    with stage.load.flowing():
        for _ in range(count):
            time.sleep(stage.chance.uniform(0, _PAUSE))
            victim = stage.chance.choice(everything)
            stage.kill(victim)
            if stage.chance.random() > _AT_ONCE:
                stage.wait_until_at_work(victim)
        time.sleep(1)
    stage.world.service.wait_until_ready()


#: The settler asks for two minutes where it gets no answer.
_BLIND = Limits(flash=10, decided=180)

ORDEALS = [
    Ordeal(
        name="kills", run=kills, cut=10, plain=60, full=500, limits=Limits(flash=10), patience=180
    ),
    Ordeal(
        name="blind kills",
        run=blind_kills,
        plain=12,
        full=100,
        limits=_BLIND,
        ends=HANDED_OVER | {"answered", "machine", "unknown", "failed"},
        may_double=True,
        patience=300,
    ),
]
