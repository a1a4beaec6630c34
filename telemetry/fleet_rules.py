"""How VMs are judged by what is heard of them. Data only."""

from dataclasses import dataclass

from bus.settings import Settings

ANSWERING_S = 15.0
"""Time a worker has, past a job's longest run, to answer it before it counts as stuck."""


@dataclass(frozen=True, slots=True)
class Rules:
    """How the fleet is judged. `settle_beats` is how long a job sent may be missing in a ready VM's beats."""

    beat_interval_s: float = 1.0
    lost_after_s: float = 3.0
    settle_beats: int = 2
    readings: int = 5
    ease_in_s: float = 10.0
    stuck_after_s: float = 60.0 + ANSWERING_S
    forget_after_s: float = 86_400.0

    @classmethod
    def of(cls, settings: Settings) -> "Rules":
        """The rules that the settings give."""
        return cls(
            beat_interval_s=settings.beat_interval_s,
            lost_after_s=settings.lost_after_s,
            stuck_after_s=settings.job_timeout_s + ANSWERING_S,
        )
