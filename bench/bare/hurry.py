"""What bare loops have in common: so many at once, and both clocks, of the sends alone."""

import asyncio
import json
import sys
import time
from collections.abc import Awaitable, Callable, Iterator

Send = Callable[[int], Awaitable[None]]

#: Sends before the clocks start: connections are open by then, and imports done.
_WARM = 300


async def hurried(sends: list[Send], count: int) -> None:
    """Have `sends`, all at once, take the numbers up to `count` in turn; print what it took."""
    await _all(sends, _WARM)
    wall, cpu = time.monotonic(), time.process_time()
    await _all(sends, count)
    took = {"wall": time.monotonic() - wall, "cpu": time.process_time() - cpu, "sent": count}
    sys.stdout.write(json.dumps(took) + "\n")


async def _all(sends: list[Send], count: int) -> None:
    numbers = iter(range(count))
    await asyncio.gather(*(_one(send, numbers) for send in sends))


async def _one(send: Send, numbers: Iterator[int]) -> None:
    for number in numbers:
        await send(number)
