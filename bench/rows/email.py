"""Mail, each with its own body and link, against `aiosmtplib` of ready and of built letters."""

from collections.abc import Mapping
from typing import Any

from bench.children import listening, run
from bench.people import mailed
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.sending import Contest, contest
from bench.world import email_through

_PEOPLE = 8000
#: Sends of the bare loops, which take so much longer.
_READY, _BUILT = 4000, 800
#: Connections on both sides.
_CONNECTIONS = 8


async def measure(bench: Bench) -> Samples:
    """Send through a relay that offers PIPELINING."""
    with listening("bench.sinks.smtp", bench.folder, ready="") as port:
        ours = Contest(
            channel="email",
            people=_PEOPLE,
            environ=email_through(port, CONNECTIONS=str(_CONNECTIONS)),
            crowd=mailed,
        )

        async def bare(count: int, kind: str) -> Mapping[str, Any]:
            arguments = str(port), str(count), str(_CONNECTIONS), kind
            return await run("bench.bare.email", *arguments)

        ready, built = await contest(
            bench, ours, lambda: bare(_READY, "ready"), lambda: bare(_BUILT, "built")
        )
    return {"email": ready, "email built": built}


_SAME = Limits(floor=8, aim=20)

EXPERIMENT = Experiment(
    rows=(
        Row(
            name="email",
            unit="sends/CPU-s",
            better=Better.HIGHER,
            limits={
                Engine.POSTGRESQL: Limits(floor=1.4, aim=2.0),
                Engine.SQLITE: Limits(floor=1.2, aim=1.6),
            },
        ),
        Row(
            name="email built",
            unit="sends/CPU-s",
            better=Better.HIGHER,
            limits={Engine.POSTGRESQL: _SAME, Engine.SQLITE: _SAME},
        ),
    ),
    measure=measure,
)
