"""A histogram that takes the times of a whole window at once.

`prometheus_client`'s own takes them one by one, each under its locks: a hundredth of a send.
"""

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence

from prometheus_client import CollectorRegistry, Histogram
from prometheus_client.metrics_core import HistogramMetricFamily
from prometheus_client.registry import Collector
from prometheus_client.utils import floatToGoString
from typing_extensions import override


class _Counts:
    def __init__(self, size: int) -> None:
        self.by_bucket = [0] * size
        self.sum = 0.0


class Times(Collector):
    """Counts seconds by label values and bucket. For one thread, whose scrapes are its own too."""

    def __init__(
        self,
        name: str,
        documentation: str,
        labels: Sequence[str],
        *,
        registry: CollectorRegistry,
        buckets: Sequence[float] = Histogram.DEFAULT_BUCKETS,
    ) -> None:
        self._name, self._documentation, self._labels = name, documentation, labels
        self._bounds = [float(bound) for bound in buckets if bound != float("inf")]
        self._counts: dict[tuple[str, ...], _Counts] = defaultdict(self._none)
        registry.register(self)

    def observe(self, values: tuple[str, ...], seconds: Iterable[float], *, times: int = 1) -> None:
        """Count each of `seconds` under the label values, so many times."""
        counts, bounds = self._counts[values], self._bounds
        by_bucket, total = counts.by_bucket, 0.0
        for one in seconds:
            by_bucket[bisect_left(bounds, one)] += times
            total += one
        counts.sum += total * times

    @override
    def collect(self) -> Iterator[HistogramMetricFamily]:
        family = HistogramMetricFamily(self._name, self._documentation, labels=self._labels)
        bounds = [*map(floatToGoString, self._bounds), "+Inf"]
        for values, counts in self._counts.items():
            below, so_far = list[tuple[str, float]](), 0
            for bound, count in zip(bounds, counts.by_bucket, strict=True):
                so_far += count
                below.append((bound, so_far))
            family.add_metric(values, below, counts.sum)
        yield family

    def describe(self) -> Iterator[HistogramMetricFamily]:
        """Say what will come, so that no two have one name."""
        yield HistogramMetricFamily(self._name, self._documentation, labels=self._labels)

    def _none(self) -> _Counts:
        return _Counts(len(self._bounds) + 1)
