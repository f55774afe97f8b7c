"""Runs one long-lived process of ours until it is asked to stop."""

import asyncio
import signal
from collections.abc import Callable, Coroutine

from uvloop import new_event_loop

from cli.errors import Exit


def until_stopped(
    work: Callable[[asyncio.Event], Coroutine[None, None, None]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = new_event_loop,
) -> Exit:
    """Run `work(stop)`; SIGTERM or SIGINT sets `stop`, a second one cancels the work."""
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_run(work))


async def _run(work: Callable[[asyncio.Event], Coroutine[None, None, None]]) -> Exit:
    stop = asyncio.Event()
    task = asyncio.ensure_future(work(stop))

    def asked() -> None:
        if stop.is_set():
            task.cancel()
        stop.set()

    for kind in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(kind, asked)
    try:
        await task
    except asyncio.CancelledError:
        return Exit.INTERRUPTED
    return Exit.DONE
