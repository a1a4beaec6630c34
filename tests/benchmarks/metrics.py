"""What it costs to count an event, beside what it costs to make and write it: `python -m tests.benchmarks.metrics`.

Each line is the median of several rounds, with and without metrics by turns, so that a busy machine slows both.
"""

import statistics
import time
from collections.abc import Callable
from typing import Final

from bus.events import JobEvent, event_message
from bus.settings import Settings
from telemetry import metrics

ROUNDS: Final = 20
EVENTS: Final = 2000


def made() -> JobEvent:
    """An event of the kind a VM tells most."""
    return JobEvent(
        state="done",
        job="0f8fad5bd9cb469fa16570867728950e",
        operation="sketch",
        user="anna",
        at_ms=1_700_000_000_000,
        vm="vm1",
        route="vm",
        attempt=1,
        placement="abc-1",
        waited_ms=30,
        ran_ms=500,
        pixels=480_000,
    )


def told() -> None:
    """Make an event, count it if metrics are served, and write it as it goes to the broker."""
    event = made()
    metrics.told(event)
    event_message(event, event.key)


def counted(event: JobEvent) -> Callable[[], None]:
    """Only count it."""
    return lambda: metrics.told(event)


def microseconds(do: Callable[[], None]) -> float:
    """Of one call, the mean of a round."""
    began = time.perf_counter()
    for _ in range(EVENTS):
        do()
    return (time.perf_counter() - began) / EVENTS * 1e6


def main() -> None:
    """Measure, and print."""
    figures: dict[str, list[float]] = {name: [] for name in ("telling, not counted", "telling, counted", "counting")}
    unserved: list[float] = []
    count = counted(made())
    for _ in range(ROUNDS):
        metrics.stop()
        figures["telling, not counted"].append(microseconds(told))
        unserved.append(microseconds(count))
        metrics.serve(Settings(metrics_port=0), "vm")
        figures["telling, counted"].append(microseconds(told))
        figures["counting"].append(microseconds(count))
    metrics.stop()
    for name, taken in {**figures, "counting where nothing is served": unserved}.items():
        print(f"{name:<34} {statistics.median(taken):7.2f} us")
    ratio = statistics.median(figures["telling, counted"]) / statistics.median(figures["telling, not counted"])
    print(f"{'telling, counted : not counted':<34} {ratio:7.3f}")


if __name__ == "__main__":
    main()
