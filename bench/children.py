"""Bare loops and listeners: processes of their own, ended with the bench."""

import asyncio
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

from cli.ports import answers
from cli.process import Process, Program
from tests.journey.ports import free_ports

#: Seconds that a listener gets to come up, and a bare loop to end.
_UP_WITHIN, _DONE_WITHIN = 20.0, 600.0
_ENVIRON = {"PATH": os.defpath, "LC_ALL": "C.UTF-8"}


class ChildError(Exception):
    """A bare loop or a listener did not do its part; the message has what it said."""


@contextmanager
def listening(module: str, folder: Path, *arguments: str, ready: str = "/livez") -> Iterator[int]:
    """Run `python -m MODULE PORT ARGUMENTS` and yield its port; an empty `ready` asks nothing."""
    [port] = free_ports(1)
    log = folder / f"{module}.log"
    process = Process(
        Program(
            name=module,
            argv=[sys.executable, "-m", module, str(port), *arguments],
            environ=_ENVIRON,
            log=log,
            is_ready=partial(answers, "127.0.0.1", port, ready) if ready else lambda: True,
        )
    )
    process.start()
    try:
        _wait(process, log)
        yield port
    finally:
        process.kill()


async def run(module: str, *arguments: str) -> dict[str, Any]:
    """Run `python -m MODULE ARGUMENTS` to its end; return the JSON of its last line."""
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", module, *arguments),
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env=_ENVIRON,
    )
    try:
        async with asyncio.timeout(_DONE_WITHIN):
            out, err = await child.communicate()
    finally:
        if child.returncode is None:
            child.kill()
    if child.returncode:
        raise ChildError(f"{module}: {err.decode(errors='replace')[-2000:]}")
    said: dict[str, Any] = json.loads(out.splitlines()[-1])
    return said


def _wait(process: Process, log: Path) -> None:
    deadline = time.monotonic() + _UP_WITHIN
    while not process.is_ready():
        if not process.is_alive() or time.monotonic() > deadline:
            said = log.read_text(errors="replace")[-2000:]
            raise ChildError(f"{process.name} {process.how_it_ended()}: {said}")
        time.sleep(0.02)
