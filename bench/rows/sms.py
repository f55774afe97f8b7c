"""Texts, against a bare loop over the Twilio SDK on our own transport."""

from bench.children import listening, run
from bench.people import texted
from bench.row import Bench, Better, Engine, Experiment, Limits, Row, Samples
from bench.sending import Contest, contest
from bench.world import sms_through

_PEOPLE = 4000
#: Requests at once on both sides.
_AT_ONCE = 200


async def measure(bench: Bench) -> Samples:
    """Send texts that no receipt follows."""
    with listening("bench.sinks.twilio", bench.folder) as port:
        slots = {"KENTONGAN_SEND_SLOTS": str(_AT_ONCE)}
        ours = Contest(
            channel="sms",
            people=_PEOPLE,
            environ=sms_through(port, CONCURRENCY=str(_AT_ONCE)) | slots,
            crowd=texted,
        )
        arguments = str(port), str(_PEOPLE), str(_AT_ONCE)
        [samples] = await contest(bench, ours, lambda: run("bench.bare.sms", *arguments))
    return {"sms": samples}


EXPERIMENT = Experiment(
    rows=(
        Row(
            name="sms",
            unit="sends/CPU-s",
            better=Better.HIGHER,
            limits={
                Engine.POSTGRESQL: Limits(floor=0.75, aim=0.85),
                Engine.SQLITE: Limits(floor=0.65, aim=0.75),
            },
        ),
    ),
    measure=measure,
)
