"""A routine alert to very many, all of it queued, and flowing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.people import called
from bench.queued import in_an_hour, queue_up
from bench.world import UnexpectedStateError, World

#: Deliveries that have gone out before anything is looked at.
_FLOWING = 500
_LOOK_EVERY = 0.1
_BEGINS_WITHIN = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Flow:
    """A routine alert on its way."""

    world: World
    alert: str

    async def goes_on(self) -> bool:
        """Tell whether deliveries of it wait."""
        query = "SELECT 1 FROM deliveries WHERE alert_id = $1 AND state = 'waiting' LIMIT 1"
        return bool(await self.world.books.ask(query, self.alert))


@asynccontextmanager
async def flowing(world: World, people: int, sink: int) -> AsyncIterator[Flow]:
    """Yield an alert that is being sent to `people` systems on the port `sink`; stop it at the end.

    All its deliveries are written before the first goes out.
    """
    point = {"channel": "webhook", "address": f"http://127.0.0.1:{sink}/"}
    alert = await world.accept("", "webhook", audience={"points": [point]}, send_at=in_an_hour())
    await queue_up(world.books, alert, called("many", people, sink))
    await _until_it_flows(world, alert)
    yield Flow(world=world, alert=alert)
    await _order(world, alert, "stop")


async def _order(world: World, alert: str, order: str) -> None:
    answer = await asyncio.to_thread(world.api.post, f"/v1/alerts/{alert}/{order}")
    assert answer.status == 200, answer


async def _until_it_flows(world: World, alert: str) -> None:
    deadline = time.monotonic() + _BEGINS_WITHIN
    while (states := await world.books.states(alert)).get("delivered", 0) < _FLOWING:
        if time.monotonic() > deadline:
            raise UnexpectedStateError(f"it does not flow: {states}")
        await asyncio.sleep(_LOOK_EVERY)
