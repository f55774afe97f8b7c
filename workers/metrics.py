"""What Prometheus and an orchestrator may ask of a worker; labels are closed sets, never ids."""

from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from time import time

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from channels import AnyChannel
from kentongan.alert import Alert
from kentongan.clock import SECOND
from kentongan.outcome import Outcome
from workers.lease import Lease
from workers.times import Times

_CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
#: Seconds; a call at one a second, a thousand people long, still falls into a bucket of its own.
_LATENCY = (0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 300, 1200, 3600)


class Metrics:
    """The metrics of one worker, in a registry of its own."""

    def __init__(self) -> None:
        at = self.registry = CollectorRegistry()
        self._attempts = Counter(
            "kentongan_attempts",
            "Attempts by what came of them at once.",
            ["channel", "provider", "outcome"],
            registry=at,
        )
        self._duration = Times(
            "kentongan_attempt_duration_seconds",
            "From the slot to the outcome.",
            ["channel", "provider"],
            registry=at,
        )
        self._latency = Times(
            "kentongan_delivery_latency_seconds",
            "From the acceptance of an alert (or its due time) to the hand-over.",
            ["channel", "provider", "lane"],
            buckets=_LATENCY,
            registry=at,
        )
        self._receipts = Counter(
            "kentongan_receipts",
            "Provider events joined, by what became of them.",
            ["verdict"],
            registry=at,
        )
        self._wait = Histogram(
            "kentongan_rate_limit_wait_seconds",
            "Waits that an empty bucket asked for.",
            ["channel"],
            registry=at,
        )
        self._settled = Counter(
            "kentongan_unknown_settled",
            "What became of unknown attempts.",
            ["channel", "resolution"],
            registry=at,
        )
        self._held = Counter(
            "kentongan_held_back", "Deliveries that caps held back.", ["channel"], registry=at
        )
        self._recalled = Counter(
            "kentongan_recalled",
            "Messages called back from their provider, by whether they had not left yet.",
            ["channel", "back"],
            registry=at,
        )
        self._lease = Gauge("kentongan_worker_lease", "1 while the lease holds.", registry=at)

    def attempted(
        self, channel: AnyChannel, tried: Iterable[tuple[Outcome | None, float | None]]
    ) -> None:
        """Count attempts by outcome and time; None: it had no slot, or was cut short there."""
        who = (channel.channel, channel.provider)
        took, counts = list[float](), dict[type[Outcome], int]()
        for outcome, seconds in tried:
            if outcome is not None and seconds is not None:
                took.append(seconds)
                kind = type(outcome)
                counts[kind] = counts.get(kind, 0) + 1
        self._duration.observe(who, took)
        for kind, count in counts.items():
            self._attempts.labels(*who, kind.__name__.lower()).inc(count)

    def handed_over(self, alert: Alert, channel: AnyChannel, count: int) -> None:
        """Note how late messages were handed over, by this machine's clock."""
        if not count:
            return
        due = max(alert.accepted_at, alert.send_at or 0)
        late = max(0.0, time() - due / SECOND)
        who = (channel.channel, channel.provider, alert.lane.value)
        self._latency.observe(who, [late], times=count)

    def joined(self, verdicts: Mapping[str, int]) -> None:
        for verdict, count in verdicts.items():
            self._receipts.labels(verdict).inc(count)

    def waited(self, channel: str, seconds: float) -> None:
        self._wait.labels(channel).observe(seconds)

    def held_back(self, channel: str, count: int) -> None:
        self._held.labels(channel).inc(count)

    def recalled(self, channel: str, *, is_back: bool) -> None:
        self._recalled.labels(channel, str(is_back).lower()).inc()

    def decided(self, channel: str, resolution: str) -> None:
        self._settled.labels(channel, resolution).inc()

    def text(self, lease: Lease) -> bytes:
        """Return what a scrape reads."""
        self._lease.set(int(lease.holds))
        return generate_latest(self.registry)


@asynccontextmanager
async def answering(metrics: Metrics, lease: Lease, host: str, port: int) -> AsyncIterator[None]:
    """Serve /metrics, /livez and /readyz (503 while the lease does not hold) on a port."""

    async def scrape(_request: web.Request) -> web.Response:
        return web.Response(body=metrics.text(lease), headers={"Content-Type": _CONTENT_TYPE})

    async def live(_request: web.Request) -> web.Response:
        return web.json_response({"live": True})

    async def ready(_request: web.Request) -> web.Response:
        holds = lease.holds
        return web.json_response({"ready": holds}, status=200 if holds else 503)

    app = web.Application()
    app.add_routes(
        [web.get("/metrics", scrape), web.get("/livez", live), web.get("/readyz", ready)]
    )
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    try:
        await web.TCPSite(runner, host, port).start()
        yield
    finally:
        await runner.cleanup()
