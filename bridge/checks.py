"""What is to become of a job out of `overflow`, as far as the job itself tells. Pure."""

from dataclasses import dataclass
from typing import Final

from bus.messages import Job, operation_problem
from bus.problems import Kind, Problem
from bus.topology import OPERATIONS
from consumers.cancels import CANCELLED

NO_REPLY_TO: Final = "the job names no reply_to, so no answer can be seen; set it and send again"
LOCAL: Final = "the job is kept on local machines"


@dataclass(frozen=True, slots=True)
class Refuse:
    """Answer it with a problem."""

    problem: Problem


@dataclass(frozen=True, slots=True)
class Bury:
    """Keep it in the dead queue."""

    reason: str


@dataclass(frozen=True, slots=True)
class GoHome:
    """Hand it back to the router, for a VM to run."""

    reason: str


@dataclass(frozen=True, slots=True)
class Wait:
    """Keep it a moment, for room in the cloud; then it goes home for this reason."""

    reason: str


def check(job: Job, now_ms: int, *, cancelled: bool) -> Refuse | Bury | GoHome | None:
    """Why a job must not be sent, whatever state the cloud is in; None when it may.

    The owner's word comes first: a job of `local` is not even answered from here for being late.
    """
    if not job.reply_to:
        return Bury(NO_REPLY_TO)
    if job.site == "local":
        return GoHome(LOCAL)
    if job.left_ms(now_ms) == 0:
        return Refuse(Problem.of(Kind.EXPIRED, "The job's time to live ran out before it could be sent to the cloud."))
    if cancelled:
        return Refuse(CANCELLED)
    if job.operation not in OPERATIONS:
        return Refuse(operation_problem(job.operation, OPERATIONS))
    return None


def at_home(job: Job) -> Job:
    """The job as it goes back to its lane: without the attempt that it was placed for and did not get."""
    return job.model_copy(update={"attempt": max(0, job.attempt - 1)})
