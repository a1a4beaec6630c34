"""Jobs that were sent to the bridge before: the answers kept for them, and who waits for the first one's. Pure."""

from collections.abc import Callable
from typing import Final, Generic, NamedTuple, TypeVar

from bus.answers import Answer
from bus.messages import Job
from bus.problems import Kind
from consumers.answers import AnswerCache

KEPT_S: Final = 600.0
"""How long an answer is kept for a repeat: one that was sent again because of a lost connection comes well within."""
KEPT_BYTES: Final = 64 << 20
FOLLOWERS: Final = 4
"""Repeats that wait at a time. Each stays the broker's, so that its picture needs no room here, and takes one of the
eight places of those that are to be sent; more go home."""
_THE_JOBS: Final = frozenset(
    kind.urn
    for kind in (
        Kind.BAD_FIELD,
        Kind.EMPTY_IMAGE,
        Kind.NOT_AN_IMAGE,
        Kind.BROKEN_IMAGE,
        Kind.TOO_MANY_BYTES,
        Kind.TOO_MANY_PIXELS,
    )
)
"""Problems that another run would find again. All others a repeat may be spared."""
_SAID: Final = ("route", "vm", "model", "attempt", "waited_ms", "ran_ms", "claim", "link")

D = TypeVar("D")


class _Kept(NamedTuple):
    answer: Answer
    at: float

    @property
    def body(self) -> bytes:
        return self.answer.body


class KeptAnswers:
    """The latest answers by the job's identity, each for `kept_s` seconds, as far as `most_bytes` hold them."""

    def __init__(self, most_bytes: int = KEPT_BYTES, kept_s: float = KEPT_S) -> None:
        self._answers = AnswerCache[_Kept](most_bytes)
        self._kept_s = kept_s

    def __len__(self) -> int:
        return len(self._answers)

    def keep(self, key: str | None, answer: Answer, now: float) -> None:
        """Remember an answer, unless another run may end otherwise; `key` is None where the job's is not known."""
        problem = answer.problem
        if key is not None and (problem is None or problem.type in _THE_JOBS):
            self._answers.keep(key, _Kept(answer, now))

    def get(self, key: str, now: float) -> Answer | None:
        """The answer to the first such job."""
        kept = self._answers.get(key)
        return kept.answer if kept is not None and now - kept.at <= self._kept_s else None


def repeated(answer: Answer, job: Job) -> Answer:
    """An answer to the first such job as one to `job`: it tells of the same run, which costs nothing more."""
    said = {name: getattr(answer, name) for name in _SAID}
    return Answer.to(job, content_type=answer.content_type, body=answer.body, **said, cost=0.0)


class Followers(Generic[D]):
    """Repeats of jobs that are in the cloud; a `D` is what is to be given back to the broker when those have ended."""

    def __init__(self, most: int = FOLLOWERS) -> None:
        self._most = most
        self._waiting: list[tuple[str, D]] = []

    def add(self, key: str, delivery: D) -> bool:
        """Have a repeat wait; False when as many do as may."""
        has_room = len(self._waiting) < self._most
        if has_room:
            self._waiting.append((key, delivery))
        return has_room

    def freed(self, is_there: Callable[[str], bool]) -> list[D]:
        """Those whose first job is there no more, taken out."""
        freed = [each for each in self._waiting if not is_there(each[0])]
        self._waiting = [each for each in self._waiting if each not in freed]
        return [delivery for _, delivery in freed]
