"""Redis is emptied, restarted, killed, frozen and full; the service accepts all the while."""

import os
import signal
import time

from tests.chaos.ordeal import Ordeal
from tests.chaos.stage import Stage


def redis(stage: Stage, count: int) -> None:
    kinds = {
        "flushall": _flush,
        "restart": _restart,
        "kill": _kill,
        "frozen": _freeze,
        "full": _fill,
    }
    if count == 1:  # CI has no time for the long ones
        kinds = {name: kinds[name] for name in ("flushall", "kill")}
    with stage.load.flowing():
        for _ in range(count):
            for name, strike in kinds.items():
                time.sleep(stage.chance.uniform(1, 4))
                stage.strike(name)
                strike(stage)
                stage.wait_until_caught_up()
    if stage.load.heard:
        stage.blame(f"the service did not accept all the while: {dict(stage.load.heard)}")


def _flush(stage: Stage) -> None:
    stage.world.valkey.flush()


def _restart(stage: Stage) -> None:
    stage.world.valkey.stop()
    time.sleep(stage.chance.uniform(0, 2))
    stage.world.valkey.start()


def _kill(stage: Stage) -> None:
    stage.world.valkey.kill()
    time.sleep(stage.chance.uniform(0, 5))
    stage.world.valkey.start()


def _freeze(stage: Stage) -> None:
    pid = stage.world.valkey.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    time.sleep(60 if stage.is_full else 15)
    os.kill(pid, signal.SIGCONT)


def _fill(stage: Stage) -> None:
    """Refuse all that would need room, as a server with `noeviction` does."""
    stage.world.valkey.ask("CONFIG SET maxmemory-policy noeviction")
    stage.world.valkey.ask("CONFIG SET maxmemory 1024")
    time.sleep(8)
    stage.world.valkey.ask("CONFIG SET maxmemory 0")


ORDEALS = [Ordeal(name="redis", run=redis, cut=1, plain=3, full=20)]
