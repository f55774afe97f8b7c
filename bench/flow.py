"""A routine alert to very many, all of it queued, and flowing."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bench.people import called
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

    It is paused until it is expanded, so that all its deliveries wait.
    """
    await world.gather(called("many", people, sink))
    alert = await world.accept("many", "webhook")
    await _order(world, alert, "pause")
    await world.books.until_expanded(alert, people / 500)
    await _order(world, alert, "resume")
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
