"""What this process counts and measures, for Prometheus.

Until `serve`, and without a port in the settings, nothing is counted at all. `families` says what there is, `fold` how
events become figures, `endpoint` who serves them.
"""

import logging
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from importlib.metadata import version
from typing import Final, Protocol

from prometheus_client import GCCollector, PlatformCollector, ProcessCollector

from bus.errors import BusError
from bus.events import AnyEvent
from bus.rabbit import Bus
from bus.rabbit.observing import OBSERVED, Observer
from bus.settings import Settings
from telemetry.metrics import families as f
from telemetry.metrics import queues
from telemetry.metrics.board import Board
from telemetry.metrics.connections import Connections
from telemetry.metrics.endpoint import Endpoint
from telemetry.metrics.fold import Fold, VmSeen
from telemetry.metrics.http import Application, Measured
from telemetry.metrics.labels import operation_label
from telemetry.vm_view import VmView

_log = logging.getLogger(__name__)


class Fleet(Protocol):
    """`telemetry.fleet.Fleet`, which not everything that is measured may know."""

    def views(self, now: float) -> Mapping[str, VmView]:
        """Every VM by name, as of `now` on the monotonic clock."""


class Serving:
    """The metrics of one process, from when this is made until `close`."""

    def __init__(self, settings: Settings, program: str) -> None:
        """`program` is one of `families.PROGRAMS`. Raises SetupError when the settings' port can't be had."""
        self.board: Final = Board(program)
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.board.registry)
        self.fold: Final = Fold(self.board, settings.user_weights)
        self.fold.begin(program)
        self.board.set(f.BUILD, version("overspill"), program, value=1)
        self.endpoint: Final = Endpoint(settings.metrics_host, settings.metrics_port or 0, self.board.registry)
        self.queues_due_s = 0.0
        OBSERVED.by = Connections(self.board)

    def close(self) -> None:
        """Tell nothing more."""
        OBSERVED.by = Observer()
        self.endpoint.close()


class _Process:
    def __init__(self) -> None:
        self.serving: Serving | None = None


_process: Final = _Process()


def serve(settings: Settings, program: str) -> None:
    """Give the metrics of this process to whoever asks, if the settings want it; `program` says what it is.

    Raises SetupError when the port can't be had.
    """
    stop()
    if settings.metrics_port is not None:
        _process.serving = Serving(settings, program)
        _log.info("metrics on %s", _process.serving.endpoint.url)


def stop() -> None:
    """Serve and count no more."""
    if _process.serving is not None:
        _process.serving.close()
        _process.serving = None


def url() -> str | None:
    """Where this process tells its metrics, if it does."""
    return None if _process.serving is None else _process.serving.endpoint.url


# -- what happens


def told(event: AnyEvent) -> None:
    """Count an event that this process tells."""
    if _process.serving is not None:
        _process.serving.fold.told(event)


def heard(event: AnyEvent, at_ms: int) -> None:
    """Take note of an event that this process hears, at `at_ms` (milliseconds since the epoch)."""
    if _process.serving is not None:
        _process.serving.fold.heard(event, at_ms)


# -- the router's own


def watch(fleet: Fleet) -> None:
    """Tell how the VMs of this fleet are, whenever the router tells how it is itself."""

    def look() -> Iterator[VmSeen]:
        now = time.monotonic()
        for view in fleet.views(now).values():
            yield VmSeen(view.name, view.state, view.age_s(now))

    if _process.serving is not None:
        _process.serving.fold.fleet = look


async def ask_queues(bus: Bus) -> None:
    """Ask the broker how much lies in the queues, if that is told and was not asked for 15 seconds."""
    now, serving = time.monotonic(), _process.serving
    if serving is None or now < serving.queues_due_s:
        return
    serving.queues_due_s = now + queues.EVERY_S
    try:
        serving.fold.queues(await queues.ask(bus))
    except BusError as error:
        serving.fold.queues({})  # what was told before may no longer be so
        _log.info("how much lies in the queues is not known: %s", error)


# -- over HTTP


def measured(app: Application) -> Application:
    """The application, with its requests counted."""
    return Measured(app, lambda: None if _process.serving is None else _process.serving.board)


def watch_page(jobs: Callable[[], Mapping[str, int]]) -> None:
    """Tell how many of the page's jobs are in which state; `jobs` is asked at each scrape, in another thread."""
    if _process.serving is not None:
        _process.serving.board.ask(f.PAGE_JOBS, lambda: {(state,): count for state, count in jobs().items()})


@contextmanager
def service_run(operation: str) -> Iterator[Callable[[str], None]]:
    """A run in the cloud service; what this yields is told its outcome: `done`, `failed` or `crashed`."""
    board = None if _process.serving is None else _process.serving.board
    if board is None:
        yield lambda _outcome: None
        return
    began, label, outcomes = time.monotonic(), operation_label(operation), ["crashed"]
    board.add(f.SERVICE_IN_FLIGHT)
    try:
        yield outcomes.append
    finally:
        board.add(f.SERVICE_IN_FLIGHT, amount=-1.0)
        board.add(f.SERVICE_RUNS, label, outcomes[-1])
        board.observe(f.SERVICE_RUN, label, value=time.monotonic() - began)
