"""The metrics of one process: a registry of its own with the families it tells, and quick ways to count in them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics import MetricWrapperBase
from prometheus_client.registry import Collector

from telemetry.metrics.families import FAMILIES, Family

Labels = tuple[str, ...]
Asked = Callable[[], Mapping[Labels, float]]
"""What tells a gauge's series when it is scraped: by the values of their labels."""
_NOWHERE: Final[dict[Labels, Any]] = {}

# One series more for each counter and histogram, which Prometheus has no use for.
disable_created_metrics()  # type: ignore[no-untyped-call]  # it has no types


class Board:
    """Counts in the families of one program; what another program's family is told goes nowhere.

    Labels' values come in the order of the family's labels. Any thread may scrape meanwhile.
    """

    def __init__(self, program: str, families: Iterable[Family] = FAMILIES) -> None:
        self.registry: Final = CollectorRegistry()
        self._made = {each: _made(each, self.registry) for each in families if program in each.told_by}
        # Asking prometheus_client for a series takes longer than to count in it.
        self._series: dict[Family, dict[Labels, Any]] = {each: {} for each in self._made}

    def add(self, family: Family, *labels: str, amount: float = 1.0) -> None:
        """Count in a counter, or up and down in a gauge."""
        series = self._series.get(family, _NOWHERE).get(labels) or self._begun(family, labels)
        if series is not None:
            series.inc(amount)

    def set(self, family: Family, *labels: str, value: float) -> None:
        """Set a gauge."""
        series = self._series.get(family, _NOWHERE).get(labels) or self._begun(family, labels)
        if series is not None:
            series.set(value)

    def observe(self, family: Family, *labels: str, value: float) -> None:
        """Take a figure into a histogram."""
        series = self._series.get(family, _NOWHERE).get(labels) or self._begun(family, labels)
        if series is not None:
            series.observe(value)

    def keep(self, family: Family, wanted: Mapping[Labels, float]) -> None:
        """Set a gauge's series to these, and drop all others."""
        series = self._series.get(family, _NOWHERE)
        for labels in series.keys() - wanted.keys():
            del series[labels]
            self._made[family].remove(*labels)
        for labels, value in wanted.items():
            self.set(family, *labels, value=value)

    def ask(self, family: Family, asked: Asked) -> None:
        """Have a gauge tell what `asked` returns at each scrape, in the scraper's thread."""
        made = self._made.pop(family, None)
        if made is not None:
            self.registry.unregister(made)
            self.registry.register(_Asking(family, asked))

    def _begun(self, family: Family, labels: Labels) -> Any:
        made = self._made.get(family)
        if made is None:
            return None
        series = self._series[family][labels] = made.labels(*labels) if labels else made
        return series


def _made(family: Family, registry: CollectorRegistry) -> MetricWrapperBase:
    if family.kind == "counter":
        return Counter(family.name, family.help, family.labels, registry=registry)
    if family.kind == "gauge":
        return Gauge(family.name, family.help, family.labels, registry=registry)
    return Histogram(family.name, family.help, family.labels, registry=registry, buckets=family.buckets)


class _Asking(Collector):
    def __init__(self, family: Family, asked: Asked) -> None:
        self._family, self._asked = family, asked

    def collect(self) -> list[GaugeMetricFamily]:
        gauge = GaugeMetricFamily(self._family.name, self._family.help, labels=self._family.labels)
        for labels, value in self._asked().items():
            gauge.add_metric(labels, value)
        return [gauge]
