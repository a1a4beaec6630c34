"""How a job's attempts are counted and told on a VM. Pure."""

from bus.attempts import HISTORY_KEPT
from bus.messages import Job


def taken_back(job: Job, times: int, vm: str, now_ms: int) -> Job:
    """The job as it stands after the broker took it back from its VM so many times.

    Each was an attempt whose end nobody saw: the VM died of it, perhaps. Its history tells them as of `now_ms`.
    """
    told = min(times, HISTORY_KEPT)  # earlier ones would be counted, then forgotten
    job = job.model_copy(update={"attempt": job.attempt + times - told})
    for _ in range(told):
        lost = job.failed(at_ms=now_ms, vm=vm, reason=f"{vm} ended, or lost its connection, while it held the job")
        job = lost.model_copy(update={"attempt": job.attempt + 1})
    return job


def not_begun(job: Job) -> Job:
    """The job without the attempt that it was placed for and did not get."""
    return job.model_copy(update={"attempt": max(0, job.attempt - 1)})
