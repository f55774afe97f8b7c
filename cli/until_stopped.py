"""Runs one long-lived process of ours until it is asked to stop."""

import asyncio
import gc
import signal
from collections.abc import Callable, Coroutine

from uvloop import new_event_loop

from cli.errors import Exit

#: The collector looks at what is new after so many objects (700 by default), at what survived a
#: look after so many of those, and at all after so many of these.
_NEW_OBJECTS, _YOUNG_LOOKS, _OLDER_LOOKS = 20_000, 20, 20


def until_stopped(
    work: Callable[[asyncio.Event], Coroutine[None, None, None]],
    loop_factory: Callable[[], asyncio.AbstractEventLoop] = new_event_loop,
) -> Exit:
    """Run `work(stop)`; SIGTERM or SIGINT sets `stop`, a second one cancels the work."""
    _collect_rarely()
    with asyncio.Runner(loop_factory=loop_factory) as runner:
        return runner.run(_run(work))


def _collect_rarely() -> None:
    """Have the collector look seldom, and never again at what was imported.

    Each of its full looks walks over all that SQLAlchemy and the provider's SDK have made, some
    0.1 s in which nothing is sent; what a send leaves behind goes by reference counts.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(_NEW_OBJECTS, _YOUNG_LOOKS, _OLDER_LOOKS)


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
