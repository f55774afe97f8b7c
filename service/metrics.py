"""What Prometheus may ask of the service. Labels are closed sets: no id, no number, no name."""

import asyncio
import time
from collections.abc import Sequence
from importlib.metadata import version

from aiohttp import web
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest

from kentongan.caps import Caps
from kentongan.circuit import Circuit
from kentongan.spending import ONE, Standing
from ledger.cap_usage import standings
from ledger.engine import Ledger, LedgerAwayError
from ledger.gauges import Gauges, look

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"
_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})
_PEOPLE = (1, 10, 30, 100, 300, 1_000, 3_000, 10_000, 30_000, 100_000, 300_000, 1_000_000)


class Metrics:
    """The metrics of one process, in a registry of its own."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        at = self.registry
        Gauge("kentongan_build_info", "What runs.", ["version"], registry=at).labels(
            version("kentongan")
        ).set(1)
        self.requests = Counter(
            "kentongan_http_requests",
            "Requests answered.",
            ["route", "method", "code"],
            registry=at,
        )
        self.duration = Histogram(
            "kentongan_http_request_duration_seconds", "Time to answer.", ["route"], registry=at
        )
        self.alerts = Counter(
            "kentongan_alerts", "Alerts accepted.", ["mode", "type", "origin"], registry=at
        )
        self.alert_people = Histogram(
            "kentongan_alert_people",
            "People of an alert, where known.",
            buckets=_PEOPLE,
            registry=at,
        )
        self.inbound = Counter(
            "kentongan_inbound",
            "Callbacks and messages that came in.",
            ["source", "verdict"],
            registry=at,
        )
        self.refused_keys = Counter(
            "kentongan_authentication_failures", "Requests with a bad key.", registry=at
        )
        self._depth = Gauge(
            "kentongan_queue_depth", "Deliveries not yet sent.", ["channel", "lane"], registry=at
        )
        self._oldest = Gauge(
            "kentongan_queue_oldest_seconds",
            "Age of the oldest alert with deliveries not yet sent.",
            ["channel", "lane"],
            registry=at,
        )
        self._up = Gauge(
            "kentongan_provider_up", "0: set aside.", ["channel", "provider"], registry=at
        )
        self._share = Gauge(
            "kentongan_provider_share",
            "Points of a hundred of the channel's traffic, where they have moved.",
            ["channel", "provider"],
            registry=at,
        )
        self._workers = Gauge("kentongan_workers", "Workers whose lease holds.", registry=at)
        self._spent = Gauge(
            "kentongan_spent", "What was spent, in the currency of prices.", ["period"], registry=at
        )
        self._spend_cap = Gauge(
            "kentongan_spend_cap", "What may be spent.", ["period"], registry=at
        )
        self._ledger = Gauge("kentongan_ledger_up", "0: the ledger is away.", registry=at)

    def show(self, gauges: Gauges | None) -> None:
        """Put what the ledger said into the gauges; None: it could not be asked."""
        self._ledger.set(gauges is not None)
        for gauge in (self._depth, self._oldest, self._up, self._share):
            gauge.clear()
        if gauges is None:
            return
        for depth in gauges.queues:
            self._depth.labels(depth.channel, depth.lane).set(depth.deliveries)
            self._oldest.labels(depth.channel, depth.lane).set(depth.oldest_seconds)
        for one in gauges.providers:
            self._up.labels(*one.who).set(one.circuit is Circuit.CLOSED)
            if one.share is not None:
                self._share.labels(*one.who).set(one.share)
        self._workers.set(gauges.workers)

    def show_spending(self, money: Sequence[Standing]) -> None:
        """Put what was spent, and what may be, into the gauges."""
        for one in money:
            self._spent.labels(one.period).set(one.spent / ONE)
            if one.most is not None:
                self._spend_cap.labels(one.period).set(one.most / ONE)

    def answered(self, request: web.Request, status: int, seconds: float) -> None:
        """Count one answer under its route's template; strangers share one name."""
        resource = request.match_info.route.resource
        route = resource.canonical if resource else "none"
        method = request.method if request.method in _METHODS else "other"
        self.requests.labels(route, method, str(status)).inc()
        self.duration.labels(route).observe(seconds)

    def page(self) -> bytes:
        """Return everything as Prometheus reads it."""
        return generate_latest(self.registry)


#: Seconds for which a count of what waits is good; and no more than a tenth of the time is spent.
COUNT_LIFE = 5.0


def metrics_app(metrics: Metrics, ledger: Ledger, caps: Caps | None = None) -> web.Application:
    """Return the application behind `KENTONGAN_METRICS_PORT`: `GET /metrics` and nothing else."""
    scrape = _Scrape(metrics, ledger, caps or Caps())
    app = web.Application()
    app.router.add_get("/metrics", scrape.page)
    return app


class _Scrape:
    def __init__(self, metrics: Metrics, ledger: Ledger, caps: Caps) -> None:
        self._metrics, self._ledger, self._caps = metrics, ledger, caps
        self._lock = asyncio.Lock()
        self._good_until = 0.0

    async def page(self, _request: web.Request) -> web.Response:
        async with self._lock:
            if time.monotonic() >= self._good_until:
                await self._count()
        return web.Response(body=self._metrics.page(), headers={"Content-Type": CONTENT_TYPE})

    async def _count(self) -> None:
        began = time.monotonic()
        try:
            async with self._ledger.read() as db:
                self._metrics.show(await look(db))
                if self._caps.prices:
                    self._metrics.show_spending(await standings(db, self._caps))
        except LedgerAwayError:
            self._metrics.show(None)
        cost = time.monotonic() - began
        self._good_until = time.monotonic() + max(COUNT_LIFE, 10 * cost)
