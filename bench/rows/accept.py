"""Alerts accepted: POST /v1/alerts to one service, against a bare handler that inserts one row."""

import json
import secrets

from bench.doors import ALTERNATIONS, bare_door, knock, per_cpu_second, port_of
from bench.posting import request
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.world import World, an_alert, sms_through, standing

_ALERTS, _WARM = 1500, 200
#: Nobody listens there: no worker runs, so that nothing is sent.
_NOWHERE = 9


async def measure(bench: Bench) -> Samples:
    """Post alerts to one contact point each, every one under an Idempotency-Key of its own."""
    samples = []
    async with (
        standing(bench, workers=0, environ=sms_through(_NOWHERE)) as world,
        bare_door(bench, "accept", world.database_url) as door,
    ):
        for turn in range(ALTERNATIONS + 1):
            count = _ALERTS if turn else _WARM
            requests = [_request(world, place) for place in range(count)]
            async with world.measured() as ours:
                await knock(port_of(world), requests, 202)
            theirs = await door.take(requests, 202)
            if turn:  # the first has warmed both
                samples.append(per_cpu_second(_ALERTS, ours, theirs))
    return {"accept": samples}


def _request(world: World, place: int) -> bytes:
    point = {"channel": "sms", "address": f"+62812{10_000_000 + place}"}
    body = an_alert("", "sms", audience={"points": [point]})
    headers = {
        "Host": f"127.0.0.1:{port_of(world)}",
        "Authorization": f"Bearer {world.key}",
        "Content-Type": "application/json",
        "Idempotency-Key": secrets.token_hex(8),
    }
    return request("/v1/alerts", json.dumps(body).encode(), headers)


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="accept",
            unit="alerts/CPU-s",
            better=Better.HIGHER,
            limits=dict.fromkeys(Engine, Limits(floor=0.5, aim=0.65)),
        ),
    ),
    measure=measure,
)
