"""What a worker answers, and the answers it keeps so that a repeated job is answered and not run twice. Pure."""

import hashlib
import json
from collections import OrderedDict
from collections.abc import Mapping
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from bus.answers import Answer
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem

ENTRY_BYTES: Final = 1024
"""What an answer takes beside its body: without it, a million captions would seem to take next to nothing."""


def identity(job: Job) -> str:
    """What makes two messages the same job: user, id, operation, parameters and the picture itself, or its claim.

    The id alone is not enough: two callers who both number from 1 must never get each other's picture.
    """
    text = json.dumps([job.user, job.id, job.operation, job.params, job.claim], sort_keys=True, default=str)
    return hashlib.blake2b(job.body, digest_size=20, key=hashlib.blake2b(text.encode()).digest()).hexdigest()


class Kept(NamedTuple):
    """An answer without its address: body, content type, and the headers that say where and how it ran.

    `ran_for` is the placement whose run it came of, where the answer may go to repeats of that job as well.
    """

    body: bytes
    content_type: str
    headers: dict[str, Any]
    ran_for: str | None = None


class _WithBody(Protocol):
    @property
    def body(self) -> bytes: ...


_Answer = TypeVar("_Answer", bound=_WithBody)


class AnswerCache(Generic[_Answer]):
    """The latest answers by identity; the oldest go when together they take more than `most_bytes`."""

    def __init__(self, most_bytes: int) -> None:
        self._most_bytes = most_bytes
        self._bytes = 0
        self._kept: OrderedDict[str, _Answer] = OrderedDict()

    def __len__(self) -> int:
        return len(self._kept)

    def get(self, key: str) -> _Answer | None:
        """The answer kept under `key`."""
        return self._kept.get(key)

    def keep(self, key: str, answer: _Answer) -> None:
        """Remember an answer; one larger than the whole memory is not kept."""
        if key in self._kept:
            self._bytes -= _size(self._kept.pop(key))
        self._kept[key] = answer
        self._bytes += _size(answer)
        while self._bytes > self._most_bytes:
            _, oldest = self._kept.popitem(last=False)
            self._bytes -= _size(oldest)


def _size(answer: _WithBody) -> int:
    return ENTRY_BYTES + len(answer.body)


class Ended(NamedTuple):
    """A run that led to an answer worth keeping: a result, or what is wrong with the caller's job."""

    kept: Kept
    ran_ms: int


class Failed(NamedTuple):
    """A run that a fault of ours ended; another attempt may not meet it."""

    problem: Problem
    ran_ms: int | None = None


Outcome = Ended | Failed


def problem_of(kept: Kept) -> Problem | None:
    """The problem that an answer tells, or None when it is a result."""
    return Problem.model_validate_json(kept.body) if kept.content_type == PROBLEM_JSON else None


def refusal(job: Job, problem: Problem) -> Kept:
    """The answer that tells the caller of `job` what is wrong."""
    answer = Answer.refusal(job, problem)
    return Kept(answer.body, answer.content_type, {})


def fault_of(job: Job, now_ms: int, most_attempts: int) -> Problem | None:
    """Why a job must not run, or None."""
    if job.left_ms(now_ms) == 0:
        return Problem.of(Kind.EXPIRED, "The job's time to live ran out before a slot was free.")
    if job.attempt > most_attempts:
        detail = f"{job.attempt - 1} attempts ended without an answer; the machines running it were lost."
        return Problem.of(Kind.TOO_MANY_ATTEMPTS, detail, limit=most_attempts)
    return None


def outcome_of(job: Job, head: Mapping[str, Any], body: bytes, most_bytes: int) -> Outcome:
    """What a child's reply means. Raises KeyError, TypeError or ValueError when it is none."""
    ran_ms = head["ran_ms"]
    match head["status"]:
        case "done" if len(body) > most_bytes:
            return Ended(refusal(job, too_large(len(body), most_bytes)), ran_ms)
        case "done":
            return Ended(Kept(body, head["content_type"], {"model": head["model"]}), ran_ms)
        case "bad":
            return Ended(refusal(job, Problem.model_validate(head["problem"])), ran_ms)
        case "failed" | "exhausted" as status:
            kind = Kind.OUT_OF_MEMORY if status == "exhausted" else Kind.OPERATION_FAILED
            return Failed(Problem.of(kind, f"{job.operation}: {head['detail']}."), ran_ms)
    raise ValueError(f"a reply of the unknown status {head['status']!r}")


def too_large(size: int, most: int) -> Problem:
    """The problem of a result over the limit, whichever that is: of a message, or of the blob store."""
    # Sent all the same, it would have the broker close the connection, and the job delivered again.
    return Problem.of(
        Kind.TOO_MANY_BYTES,
        f"The result has {size:,} bytes; at most {most:,} can be sent from here.",
        limit=most,
        remedy="Ask for the format jpeg or webp, or send a smaller picture.",
    )
