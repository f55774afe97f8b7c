"""`/livez` and `/readyz`: for whoever restarts us, and whoever sends us requests."""

from aiohttp import web
from pydantic import Field

from service.web.bodies import Out
from service.web.openapi import Api, Reply
from service.wiring import house

OPEN_TO_ALL_HOSTS = frozenset({"/livez", "/readyz"})

api = Api("health")


class Alive(Out):
    alive: bool = True


class Ready(Out):
    ready: bool = Field(description="Whether an alert could be committed now.")
    degraded: list[str] = Field(description="What does not work, in sentences.")


@api.op("GET", "/livez", may=None)
async def livez(_request: web.Request) -> Alive:
    """Tell that the process runs."""
    return Alive()


@api.op("GET", "/readyz", may=None, gives={200: Ready, 503: Ready})
async def readyz(request: web.Request) -> Reply:
    """Tell whether alerts can be accepted, and what is degraded.

    503 only when nothing can be committed. All else is 200 and named in `degraded`.
    """
    seen = await house(request).lookout.look()
    return Reply(Ready(ready=seen.ready, degraded=list(seen.degraded)), 200 if seen.ready else 503)
