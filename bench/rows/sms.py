"""Texts that no receipt follows, against a bare loop over the Twilio SDK on our own transport."""

from bench.over_http import AT_ONCE, OverHttp
from bench.people import texted
from bench.row import Engine, Limits
from bench.world import sms_through

EXPERIMENT = OverHttp(
    channel="sms",
    people=4000,
    sink="bench.sinks.twilio",
    environ=lambda port: sms_through(port, CONCURRENCY=str(AT_ONCE)),
    crowd=lambda group, people, _port: texted(group, people),
    limits={
        Engine.POSTGRESQL: Limits(floor=0.75, aim=0.85),
        Engine.SQLITE: Limits(floor=0.65, aim=0.75),
    },
).experiment()
