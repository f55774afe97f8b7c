"""One run: an installation under load, what struck it, and the verdict."""

import asyncio
import os
import random
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from ledger.check_rules import FaultKind
from ledger.engine import Ledger
from ledger.migrate import upgrade
from tests.chaos import judge
from tests.chaos.cramped import Disk
from tests.chaos.load import Load
from tests.chaos.ordeal import Engine, Ordeal, Size
from tests.chaos.recovery import Recovery, Strike, recovery
from tests.chaos.report import Result
from tests.fakes.postgres import Postgres
from tests.fakes.processes import Running
from tests.journey.world import World

_LOOK_EVERY = 0.5
#: So many times an ordeal's patience is the most.
_MOST_PATIENCE = 2
#: Seconds of catching up with new work coming in all the while.
_LOAD_RESTS_AFTER = 20.0


class Stage:
    """What an ordeal is given. `chance` decides all that is not decided by the machine."""

    def __init__(self, ordeal: Ordeal, engine: Engine, size: Size, seed: int, folder: Path) -> None:
        self.ordeal, self.engine, self.size, self.seed = ordeal, engine, size, seed
        self.folder = folder
        self.chance = random.Random(f"{seed}:{ordeal.name}")
        self.strikes: list[Strike] = []
        self.wrong: list[str] = []
        self.beside: dict[str, float] = {}
        self._lives: dict[str, int] = {}
        #: Deliveries of a bare ledger; of processes the load has the count.
        self.deliveries = 0
        #: Seconds by which the last processes' clock was put on.
        self.clock_offset = 0.0
        self.disk: Disk | None = None
        self.postgres: Postgres | None = None
        self.url = ""
        self._world: World | None = None
        self._load: Load | None = None

    @property
    def world(self) -> World:
        assert self._world is not None
        return self._world

    @property
    def load(self) -> Load:
        assert self._load is not None
        return self._load

    @property
    def is_full(self) -> bool:
        return self.size is Size.FULL

    def prepare(self) -> None:
        """Make the disk, the server and the ledger; `close` takes away what there is of them."""
        if self.ordeal.cramped:
            self.disk = Disk(self.folder / "disk")
        if self.engine is Engine.POSTGRESQL:
            self.postgres = self._server()
        self.url = self._ledger()

    def up(self, **settings: str) -> None:
        """Start service, workers and simulator."""
        given = {**self.ordeal.settings, **settings}
        if "PYTHONPATH" in os.environ:  # the code that this very run is of
            given.setdefault("PYTHONPATH", os.environ["PYTHONPATH"])
        self._world = World(self.folder, self.url, **given).start()
        self._world.begin()
        self._load = Load(self._world, random.Random(f"{self.seed}:{self.ordeal.name}:load"))

    def strike(self, what: str, pid: int | None = None) -> None:
        """Note that something has struck now."""
        self.strikes.append(Strike(time.time(), what, pid))

    def kill(self, victim: Running) -> None:
        """Kill a process at whatever point it is, and start it again."""
        if not victim.is_alive:
            self.wrong.append(f"{victim.name} had ended by itself")
        else:
            self.strike(victim.name, victim.pid)
        victim.kill()
        self.start(victim)

    def start(self, running: Running) -> Running:
        """Start a process, for the first time or again."""
        self._lives[running.name] = running.read_log().count('"ready"') + 1
        return running.start()

    def wait_until_at_work(self, running: Running, seconds: float = 30) -> None:
        """Return when a process that we started is ready, or after so many seconds."""
        deadline = time.monotonic() + seconds
        while running.read_log().count('"ready"') < self._lives.get(running.name, 0):
            if time.monotonic() > deadline:
                return
            time.sleep(0.1)

    def blame(self, what: str) -> None:
        """Note that something was not as it must be."""
        self.wrong.append(what)

    @contextmanager
    def ledger(self) -> Iterator[tuple[asyncio.Runner, Ledger]]:
        """A ledger of our own, and a loop to ask it in."""
        ledger = Ledger.open(self.url, clock_offset=self.clock_offset)
        with asyncio.Runner() as runner:
            try:
                yield runner, ledger
            finally:
                runner.run(ledger.close())

    def wait_until_decided(self) -> int:
        """Return how many deliveries are open once none is, or when patience has ended: that long
        after they last became fewer, so that a busy machine is late and not at fault."""
        began = fewer_at = time.monotonic()
        least = sys.maxsize
        with self.ledger() as (runner, ledger):
            while True:
                there = runner.run(judge.by_alert(ledger))
                left = runner.run(judge.open_ones(ledger))
                unfound = judge.missing(self.load, there)
                if not left and not unfound:
                    return 0
                now = time.monotonic()
                if left + unfound < least:
                    least, fewer_at = left + unfound, now
                patience = self.ordeal.patience
                if now > fewer_at + patience or now > began + _MOST_PATIENCE * patience:
                    return left
                time.sleep(_LOOK_EVERY)

    def wait_until_caught_up(self, seconds: float = 60) -> None:
        """Return when nothing waits that was not posted just now, or after so many seconds: else
        the next fault would strike what the last one has left, and be blamed for it.

        The load rests after a while. On a machine that is busy with others' work what has piled up
        would never get less.
        """
        began = time.monotonic()
        with self.ledger() as (runner, ledger):
            while (passed := time.monotonic() - began) < seconds:
                if not runner.run(judge.waiting_longer(ledger, 5.0)):
                    break
                self.load.rests = passed > _LOAD_RESTS_AFTER
                time.sleep(_LOOK_EVERY)
        self.load.rests = False

    def verdict(self) -> Result:
        """Wait until all is decided, and hold the ledger against the book."""
        if not self.ordeal.peopled:
            return self._result(0, 0, 0, None)
        unsettled = self.wait_until_decided()
        found = self.world.compared(self.clock_offset)
        with self.ledger() as (runner, ledger):
            missing = judge.missing(self.load, runner.run(judge.by_alert(ledger)))
            states = runner.run(judge.by_state(ledger))
            was = runner.run(recovery(ledger, self.strikes, self.load.accepted))
        kinds = [fault.kind for fault in found.faults]
        lost = missing + kinds.count(FaultKind.LOST)
        self.deliveries = sum(states.values())
        self.wrong += self.load.wrong
        counted = {"missing": missing, "unsettled": unsettled}
        self.wrong += judge.complaints(self.ordeal, found, states, counted)
        if self.size is not Size.CUT:  # CI's machines are busy with others' work
            self.wrong += judge.tardiness(self.ordeal.limits, was)
        self._tell(was, states, len(found.repeats))
        return self._result(lost, kinds.count(FaultKind.DOUBLED), unsettled, was.worst)

    def unjudged(self) -> Result:
        """Return what a run is worth whose books could not be read: nothing."""
        return self._result(0, 0, 0, None)

    def _tell(self, was: Recovery, states: dict[str, int], repeats: int) -> None:
        self.beside |= {
            "flash s": was.flash,
            "routine s": was.routine,
            "decided s": was.decided,
            "abandoned": was.abandoned,
            "repeats under one id": repeats,
            "slowest answer s": self.load.slowest,
        }
        worst = sorted(was.by_what.items(), key=lambda each: -each[1])[:5]
        self.beside |= {f"after {what} s": took for what, took in worst}
        self.beside |= {f"heard {what}": count for what, count in self.load.heard.items()}
        self.beside |= {f"ended {state}": states[state] for state in sorted(states)}

    def _result(self, lost: int, doubled: int, unsettled: int, worst: float | None) -> Result:
        return Result(
            name=self.ordeal.name,
            engine=self.engine,
            faults=len(self.strikes),
            deliveries=self.deliveries,
            lost=lost,
            doubled=doubled,
            unsettled=unsettled,
            worst_recovery_s=None if worst is None else round(worst, 2),
            seed=self.seed,
            wrong=tuple(self.wrong),
            beside=self.beside,
        )

    def close(self) -> None:
        if self._world:
            self._world.close()
        if self.postgres:
            self.postgres.close()
        if self.disk:
            self.disk.close()

    def _server(self) -> Postgres:
        if self.disk is None:
            return Postgres.running(durable=True)
        with self.disk.as_temporary():
            return Postgres.running(durable=True)

    def _ledger(self) -> str:
        if self.postgres:
            url = self.postgres.create_database()
        else:
            lies_in = self.disk.folder if self.disk else self.folder
            url = f"sqlite:///{lies_in / 'ledger.db'}"
        asyncio.run(upgrade(url))
        return url
