"""An event loop that calls `on_wake` before it does anything with what select() brought.

uvloop has no such place; the workers therefore run on asyncio's own loop (docs/adr/0007).
"""

import asyncio
import selectors
from collections.abc import Callable

from typing_extensions import override

#: Twice what asyncio asks for.
_LARGER_THAN_A_READ = 512 * 1024


class WakingSelector(selectors.DefaultSelector):
    """Calls `on_wake` after each select, before the loop sees any event or writes any buffer."""

    on_wake: Callable[[], None] | None = None

    @override
    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        ready = super().select(timeout)
        if self.on_wake is not None:
            self.on_wake()
        return ready


class WakingLoop(asyncio.SelectorEventLoop):
    """asyncio's loop over a `WakingSelector`."""

    def __init__(self) -> None:
        self._waking = WakingSelector()
        super().__init__(self._waking)

    def call_on_wake(self, on_wake: Callable[[], None]) -> None:
        """Have `on_wake` called first thing in each round of the loop; it must be quick."""
        self._waking.on_wake = on_wake


def waking_loop() -> asyncio.AbstractEventLoop:
    _read_without_mapping()
    return WakingLoop()


def _read_without_mapping() -> None:
    """Spare each read of the process a mapping of memory.

    asyncio asks for a quarter megabyte for every read, and glibc maps what is larger than 128 KiB
    anew and unmaps it, which takes 20 µs, five times as long as the read. Once something larger has
    been freed it takes such blocks from the heap (mallopt(3), M_MMAP_THRESHOLD). Elsewhere this
    does nothing.
    """
    block = bytearray(_LARGER_THAN_A_READ)
    del block
