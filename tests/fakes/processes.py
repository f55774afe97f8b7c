"""Real Kentongan processes for journeys: started, paused, killed and stopped, never left behind."""

import os
import signal
import time
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Self

from cli.ports import answers
from cli.process import Process, Program, ours

_TAIL = 3000  # characters of a log that explain a failure
_LOOK_EVERY = 0.02


class Running:
    """One process, which may be started again after its end. Start it from the main thread."""

    def __init__(self, program: Program) -> None:
        self.name = program.name
        self.log = program.log
        self._process = Process(program)

    @property
    def pid(self) -> int:
        """The process id; only while it runs."""
        pid = self._process.pid
        assert pid is not None, self._explained("does not run")
        return pid

    @property
    def is_alive(self) -> bool:
        return self._process.is_alive()

    @property
    def exit_code(self) -> int | None:
        """The last exit code, negative for a signal; None while it runs."""
        return self._process.exit_code()

    def start(self) -> Self:
        """Start it; returns at once."""
        assert not self.is_alive
        self._process.start()
        return self

    def wait_until_ready(self, seconds: float = 30) -> Self:
        """Return when it serves; fail with the end of its log when it ends or takes too long."""
        self._wait(self._process.is_ready, seconds, "is not ready", while_alive=True)
        return self

    def wait_until_gone(self, seconds: float = 20) -> int:
        """Return its exit code once it has ended."""
        self._wait(lambda: not self.is_alive, seconds, "does not end")
        code = self.exit_code
        assert code is not None
        return code

    def wait_until_logged(self, words: str, seconds: float = 20, *, times: int = 1) -> None:
        """Return when its log holds `words`, so many times."""

        def logged() -> bool:
            return self.read_log().count(words) >= times

        self._wait(logged, seconds, f"does not log {words!r}")

    def stop(self, seconds: float = 20) -> int:
        """Send SIGTERM and return the exit code."""
        self.signal(signal.SIGTERM)
        return self.wait_until_gone(seconds)

    def kill(self) -> None:
        """End it with SIGKILL, at whatever point it is."""
        self._process.kill()

    def pause(self) -> None:
        """SIGSTOP: it does nothing until `resume`, as a machine that was suspended."""
        self.signal(signal.SIGSTOP)

    def resume(self) -> None:
        self.signal(signal.SIGCONT)

    def signal(self, kind: signal.Signals) -> None:
        os.kill(self.pid, kind)

    def read_log(self) -> str:
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def _wait(
        self, holds: Callable[[], bool], seconds: float, but: str, *, while_alive: bool = False
    ) -> None:
        deadline = time.monotonic() + seconds
        while not holds():
            assert time.monotonic() < deadline, self._explained(f"{but} after {seconds:g} s")
            assert not while_alive or self.is_alive, self._explained("has ended")
            time.sleep(_LOOK_EVERY)

    def _explained(self, what: str) -> str:
        return f"{self.name} {what} ({self._process.how_it_ended()}):\n{self.read_log()[-_TAIL:]}"


class Processes:
    """The processes of one test; all are killed at the end of the `with`, and by the kernel if the
    test process itself goes."""

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Keep logs in `folder`; `environ` is what every process gets, on top of a bare PATH."""
        self._folder = folder
        self._environ = {"PATH": os.defpath, "LC_ALL": "C.UTF-8", **environ}
        self._running: list[Running] = []

    def serve(self, **changes: str) -> Running:
        """Return a service, not yet started; ready when `/readyz` answers 200."""
        return self.make("serve", "KENTONGAN_HTTP_PORT", "/readyz", **changes)

    def worker(self, **changes: str) -> Running:
        """Return a worker, not yet started; ready when its `/readyz` answers, if it has a port."""
        return self.make("worker", "KENTONGAN_METRICS_PORT", "/readyz", **changes)

    def simulator(self, **changes: str) -> Running:
        """Return a simulator, not yet started; ready when `/livez` answers 200."""
        return self.make("simulator", "KENTONGAN_SIMULATOR_PORT", "/livez", **changes)

    def make(self, command: str, port: str, path: str, **changes: str) -> Running:
        """Return a process of `kentongan <command>`; `port` is the variable that has its port."""
        environ = {**self._environ, **changes}
        number = int(environ.get(port, "0"))
        name = f"{command.replace(' ', '-')}-{len(self._running) + 1}"
        program = Program(
            name=name,
            argv=ours(*command.split()),
            environ=environ,
            log=self._folder / f"{name}.log",
            is_ready=partial(answers, "127.0.0.1", number, path) if number else lambda: True,
        )
        self._running.append(Running(program))
        return self._running[-1]

    def close(self) -> None:
        """Kill whatever still runs."""
        for running in reversed(self._running):
            running.kill()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def is_running(pid: int) -> bool:
    """Tell whether a process runs; one that has ended and was not yet fetched does not."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    stat = Path(f"/proc/{pid}/stat")
    try:
        return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def eventually(holds: Callable[[], bool], what: str, seconds: float = 20) -> None:
    """Return once `holds()`; fail with `what` when it does not come true."""
    deadline = time.monotonic() + seconds
    while not holds():
        assert time.monotonic() < deadline, f"not after {seconds:g} s: {what}"
        time.sleep(_LOOK_EVERY)
