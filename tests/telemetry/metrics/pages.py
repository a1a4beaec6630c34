"""What promtool's linter finds wrong with metrics, and what a scraper finds wrong with a page of them."""

import re
import urllib.request
from collections.abc import Callable, Iterable, Iterator

from prometheus_client import Metric
from prometheus_client.openmetrics import parser as openmetrics
from prometheus_client.parser import text_string_to_metric_families

from telemetry import metrics

UNITS = {"seconds", "bytes", "ratio", "dollars", "jobs", "messages", "users", "requests", "info"}
NOT_BASE = {"milliseconds", "ms", "minutes", "hours", "days", "percent", "kilobytes", "megabytes", "mib", "mb", "kb"}
RESERVED = ("_total", "_sum", "_count", "_bucket", "_created")


def faults(metric: Metric) -> Iterator[str]:
    """What is wrong with one metric, as it stands on a page in the text format."""
    name = metric.name + ("_total" if metric.type == "counter" else "")
    words = name.split("_")
    if not metric.documentation or "\n" in metric.documentation:
        yield f"{name}: needs help, in one line"
    if not re.fullmatch(r"[a-z][a-z0-9_]*", name):
        yield f"{name}: lower-case letters, digits and underlines"
    if metric.type != "counter" and name.endswith(RESERVED):
        yield f"{name}: ends in what is reserved for another type"
    if {"counter", "gauge", "histogram", "summary"} & set(words):
        yield f"{name}: names its own type"
    if NOT_BASE & set(words):
        yield f"{name}: no base unit"
    if metric.type == "histogram" and not name.endswith("_seconds"):
        yield f"{name}: a histogram of seconds"
    yield from _label_faults(name, metric)


def _label_faults(name: str, metric: Metric) -> Iterator[str]:
    for label in {label for sample in metric.samples for label in sample.labels}:
        if label in {"job", "instance", "user", "id", "reason"} or not re.fullmatch(r"[a-z]+", label):
            yield f"{name}: label {label}"


def parsed(page: str, *, is_openmetrics: bool = False) -> dict[str, Metric]:
    """The metrics of a page by name."""
    read: Callable[[str], Iterable[Metric]]
    read = openmetrics.text_string_to_metric_families if is_openmetrics else text_string_to_metric_families
    found: dict[str, Metric] = {}
    for metric in read(page):
        assert metric.name not in found, f"{metric.name} is there twice"
        found[metric.name] = metric
    return found


def values(page: str) -> dict[str, float]:
    """Each sample by what stands before its value, as `overspill_vms{state="ready"}`; labels in their order."""
    return {
        _written(sample.name, sample.labels): sample.value
        for metric in parsed(page).values()
        for sample in metric.samples
    }


def _written(name: str, labels: dict[str, str]) -> str:
    said = ",".join(f'{label}="{value}"' for label, value in sorted(labels.items()))
    return f"{name}{{{said}}}" if said else name


def served_page() -> str:
    """The metrics of this process, as it serves them."""
    with urllib.request.urlopen(metrics.url() or "", timeout=10) as answer:  # noqa: S310 (our own process)
        text: str = answer.read().decode()
    return text
