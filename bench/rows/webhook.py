"""Webhook deliveries end to end, against a bare aiohttp loop."""

from bench.over_http import AT_ONCE, OverHttp
from bench.people import called
from bench.row import Engine, Limits

# As many receivers as there are deliveries, all on one listener.
EXPERIMENT = OverHttp(
    channel="webhook",
    people=5000,
    sink="bench.sinks.webhook",
    environ=lambda _port: {
        "KENTONGAN_WEBHOOK_CONNECTIONS": str(AT_ONCE),
        "KENTONGAN_WEBHOOK_CONNECTIONS_PER_HOST": str(AT_ONCE),
    },
    crowd=called,
    limits={
        Engine.POSTGRESQL: Limits(floor=0.65, aim=0.80),
        Engine.SQLITE: Limits(floor=0.50, aim=0.65),
    },
).experiment()
