"""What is in a recording, counted while it is written. Pure."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final

from producers.flight.recording import Line, RecordedJob, RecordedVm
from ui.web.live.quantiles import SlidingQuantiles
from ui.web.live.sample import Quantiles

Row = tuple[str, str]
"""Operation and place."""
NOWHERE: Final = "never placed"
_OTHER: Final = "other"
_MOST_ROWS: Final = 64
"""Operations that don't exist are whatever callers wrote."""


@dataclass(slots=True)
class Times:
    """Jobs alike: how many there are, and how long the answers to those that were done took, milliseconds."""

    jobs: int = 0
    failed: int = 0
    unfinished: int = 0
    _times: SlidingQuantiles = field(default_factory=lambda: SlidingQuantiles(1))

    def add(self, job: RecordedJob) -> None:
        """One more."""
        self.jobs += 1
        self.unfinished += job.end is None
        self.failed += job.end in {"failed", "unanswerable"}
        if job.end == "done" and job.ended_ms is not None:
            self._times.add(job.ended_ms - job.arrived_ms)

    @property
    def answered(self) -> Quantiles:
        """Of those that were done."""
        return self._times.told


@dataclass(slots=True)
class Summary:
    """Counts of one recording."""

    all: Times = field(default_factory=Times)
    rows: dict[Row, Times] = field(default_factory=dict)
    vms: set[str] = field(default_factory=set)
    cost: float = 0.0
    """US dollars, estimated."""
    in_cloud: int = 0

    def add(self, lines: Iterable[Line]) -> None:
        """What was written."""
        for line in lines:
            if isinstance(line, RecordedVm):
                self.vms.add(line.vm)
            elif isinstance(line, RecordedJob):
                self._add_job(line)

    @property
    def cloud_share(self) -> float:
        """The part of all placed jobs that the cloud had, 0 to 1."""
        placed = sum(times.jobs for (_, place), times in self.rows.items() if place != NOWHERE)
        return self.in_cloud / placed if placed else 0.0

    def _add_job(self, job: RecordedJob) -> None:
        self.all.add(job)
        place = {"vm": "VMs", "cloud": "cloud", None: NOWHERE}[job.route]
        row = (job.operation, place)
        if row not in self.rows and len(self.rows) >= _MOST_ROWS:
            row = (_OTHER, place)
        self.rows.setdefault(row, Times()).add(job)
        self.in_cloud += job.route == "cloud"
        self.cost += job.cost or 0.0
