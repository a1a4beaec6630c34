"""What a dead letter tells, how it becomes a job again, and which letters are meant. Pure."""

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

from bus.attempts import Attempt
from bus.errors import BadInput
from bus.events import JobEvent
from bus.messages import ANONYMOUS, Job, Message
from bus.topology import OPERATIONS
from bus.wire import cut

MOST_REPLAYS: Final = 3
"""How often a job is sent again before an operator must insist: what dies each time does not mend by itself."""
_MOST_TEXT: Final = 1000
_HASHED_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Letter:
    """One job in the dead queue. Its picture is told by its size alone."""

    id: str
    """Made of what the letter holds, 32 hex digits: it stays the same, and two letters that are alike share it."""
    job: str
    """The caller's id of it, which may repeat, or be empty."""
    user: str
    operation: str
    reason: str
    bytes: int
    type: str | None
    """As its sender called it."""
    site: str
    claimed: bool
    """Whether the picture lies in the blob store; it is kept there for a day or so."""
    dead_ms: int | None
    """When it died, where that is known."""
    replays: int
    attempts: int
    """How often it was placed since it was sent, or sent again."""
    history: tuple[Attempt, ...]
    replies: str | None
    """Where its answer is to go, as its sender said."""
    refused: str | None
    """Why it can't be sent again, ever; None when it can."""
    traceparent: str | None = None

    @property
    def problem(self) -> str | None:
        """The slug of the problem that the latest attempt ended with, where one is told."""
        return next((attempt.problem for attempt in reversed(self.history) if attempt.problem), None)

    def why_not(self, *, gone: bool = False, force: bool = False) -> str | None:
        """Why it is not sent again now; None when it may be. `force` is an operator who insists.

        `gone` is whether its reply queue is: then the answer would be thrown away, and its picture is here no more.
        """
        if self.refused is not None:
            return f"It can't be sent again: {self.refused} Remove it."
        if force:
            return None
        if gone:
            return f"Its answer would be lost, and its picture: the reply queue {self.replies} is gone."
        if self.replays >= MOST_REPLAYS:
            return f"It was sent again {self.replays} times already and died each time: {self.reason}"
        return None


@dataclass(frozen=True, slots=True)
class Sieve:
    """Which letters are meant: those that all of these let through; None lets through everything."""

    operation: str | None = None
    user: str | None = None
    reason: str | None = None
    """A part of the reason, in capitals or not; or the slug of the problem that the latest attempt ended with."""
    before_ms: int | None = None
    """Dead before this moment. A letter that does not tell when it died is never meant by times."""
    after_ms: int | None = None

    def takes(self, letter: Letter) -> bool:
        """Whether a letter is meant."""
        return (
            self.operation in {None, letter.operation}
            and self.user in {None, letter.user}
            and self._takes_reason(letter)
            and self._takes_time(letter.dead_ms)
        )

    def _takes_reason(self, letter: Letter) -> bool:
        wanted = self.reason
        return wanted is None or wanted == letter.problem or wanted.casefold() in letter.reason.casefold()

    def _takes_time(self, dead_ms: int | None) -> bool:
        if self.before_ms is None and self.after_ms is None:
            return True
        if dead_ms is None:
            return False
        late = self.before_ms is not None and dead_ms >= self.before_ms
        return not late and (self.after_ms is None or dead_ms >= self.after_ms)


def letter_of(message: Message, now_ms: int) -> Letter:
    """What a message from the dead queue tells."""
    headers = message.headers
    job, refused = _read(message, now_ms)
    return Letter(
        id=_digest(message),
        job=cut(str(message.message_id or "")),
        user=job.user if job else _told(headers.get("user")) or ANONYMOUS,
        operation=job.operation if job else _told(headers.get("operation")),
        reason=_told(headers.get("reason")) or _of_broker(headers),
        bytes=len(message.body),
        type=message.content_type and _told(message.content_type),
        site=job.site if job else "any",
        claimed=headers.get("claim") is not None,
        dead_ms=_dead_ms(headers),
        replays=job.replays if job else 0,
        attempts=job.attempt if job else 0,
        history=job.history if job else (),
        replies=_told(message.reply_to) or None,
        refused=refused,
        traceparent=job.traceparent if job else None,
    )


def by_death(letters: Iterable[Letter]) -> list[Letter]:
    """Those that died first coming first; those that don't tell when come last."""
    return sorted(letters, key=lambda letter: (letter.dead_ms is None, letter.dead_ms, letter.id))


def again(message: Message, now_ms: int, *, by: str) -> Message:
    """A dead letter as a job for the lanes: its attempts count anew, its deadline is over, its history goes on.

    `by` is who asked for it. Raises BadInput when it can't be read as a job.
    """
    job = Job.from_message(message, now_ms)
    told = job.failed(at_ms=now_ms, reason=f"sent again out of the dead queue by {by}")
    anew = {"attempt": 0, "placement": None, "received_ms": None, "deadline_ms": None, "replays": job.replays + 1}
    return told.model_copy(update=anew).to_message(job.operation, now_ms)


def event_of(letter: Letter, state: Literal["replayed", "purged"], now_ms: int, *, by: str) -> JobEvent:
    """What is told of a letter that was sent again, or taken out for good."""
    count = f", for the {_ordinal(letter.replays + 1)} time" if state == "replayed" else ""
    return JobEvent(
        state=state,
        job=letter.job,
        operation=letter.operation,
        user=letter.user,
        at_ms=now_ms,
        replays=letter.replays + 1 if state == "replayed" else None,
        reason=f"by {by}{count}",
        traceparent=letter.traceparent,
    )


def _ordinal(number: int) -> str:
    teen = number % 100 in {11, 12, 13}
    return f"{number}{'th' if teen else {1: 'st', 2: 'nd', 3: 'rd'}.get(number % 10, 'th')}"


def _read(message: Message, now_ms: int) -> tuple[Job | None, str | None]:
    """The job, and why it can't be sent again."""
    try:
        job = Job.from_message(message, now_ms)
    except BadInput as error:
        return None, error.problem.detail
    if job.operation not in OPERATIONS:
        return job, f"{job.operation!r} is not an operation; there are {', '.join(OPERATIONS)}."
    if not job.reply_to:
        return job, "It names no reply_to, so nobody could see its answer."
    if not (job.body or job.claim):
        return job, "It has no picture."
    return job, None


def _told(value: Any) -> str:
    """Text that somebody else wrote, as much of it as is worth showing."""
    return value[:_MOST_TEXT] if isinstance(value, str) else ""


def _dead_ms(headers: Mapping[str, Any]) -> int | None:
    told = headers.get("dead_ms")
    if isinstance(told, int):
        return told
    try:
        return int(headers["x-death"][0]["time"].timestamp() * 1000)
    except (KeyError, IndexError, TypeError, AttributeError):
        return None


def _of_broker(headers: Mapping[str, Any]) -> str:
    """Why the broker itself moved it here."""
    queue, reason = _told(headers.get("x-first-death-queue")), _told(headers.get("x-first-death-reason"))
    return f"The broker took it out of {queue}: {reason}." if queue and reason else "No reason is told."


def _digest(message: Message) -> str:
    digest = hashlib.blake2b(digest_size=16)
    properties = (message.message_id, message.correlation_id, message.reply_to, message.timestamp, len(message.body))
    headers = sorted((str(name), repr(value)) for name, value in message.headers.items())
    digest.update(repr((properties, headers)).encode(errors="surrogatepass"))
    digest.update(message.body[:_HASHED_BYTES])
    return digest.hexdigest()
