"""Webhook deliveries end to end, against a bare aiohttp loop."""

from bench.children import listening, run
from bench.people import Crowd, called
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.sending import Contest, contest

_PEOPLE = 5000
#: Calls at once on both sides.
AT_ONCE = 200


async def measure(bench: Bench) -> Samples:
    """Send to as many receivers as there are deliveries, all on one listener."""
    with listening("bench.sinks.webhook", bench.folder) as port:

        def crowd(group: str, people: int) -> Crowd:
            return called(group, people, port)

        ours = Contest(
            channel="webhook",
            people=_PEOPLE,
            environ={
                "KENTONGAN_WEBHOOK_CONNECTIONS": str(AT_ONCE),
                "KENTONGAN_WEBHOOK_CONNECTIONS_PER_HOST": str(AT_ONCE),
                "KENTONGAN_SEND_SLOTS": str(AT_ONCE),
            },
            crowd=crowd,
        )
        arguments = str(port), str(_PEOPLE), str(AT_ONCE)
        [samples] = await contest(bench, ours, lambda: run("bench.bare.webhook", *arguments))
    return {"webhook": samples}


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="webhook",
            unit="sends/CPU-s",
            better=Better.HIGHER,
            limits={
                Engine.POSTGRESQL: Limits(floor=0.65, aim=0.80),
                Engine.SQLITE: Limits(floor=0.50, aim=0.65),
            },
        ),
    ),
    measure=measure,
)
