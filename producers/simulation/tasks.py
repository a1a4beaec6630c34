"""The jobs that are sent in a simulation. Data only."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """One job: who sends what, when, and what it takes.

    `work_s` is its computing time on a VM of speed 1, `cloud_s` that in the cloud where it is known. `size` is the
    picture's, bytes; None is as large as its header. One that is `refused` is answered with that problem on arrival.
    """

    arrival_s: float
    user: str
    operation: str
    megapixels: float
    work_s: float
    priority: int = 0
    size: int | None = None
    local: bool = False
    cloud_s: float | None = None
    refused: str | None = None
