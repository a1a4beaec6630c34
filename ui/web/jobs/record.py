"""What the page knows of a job: the record, the order it came from, a change to it. Pure.

Times named `_ms` are milliseconds since the Unix epoch. How a record moves on is in `ui.web.jobs.moves`.
"""

from dataclasses import dataclass
from typing import Any, Final, Literal

from pydantic import BaseModel, ConfigDict

from bus.problems import Problem

State = Literal["accepted", "queued", "routed", "running", "done", "failed", "cancelled"]
ENDS: Final = frozenset({"done", "failed", "cancelled"})
Route = Literal["vm", "cloud"]
Site = Literal["any", "local"]
JOB_BYTES: Final = 32 << 10
"""What a job takes on the disk besides its picture and its result, bytes: its row, its events, its previews."""


@dataclass(frozen=True, slots=True)
class Order:
    """What a user asks for, apart from the picture: `params` as the operation's own model has checked them.

    `name` is the picture's file name as given, `priority` 0 to 9 (5 and over: a person waits).
    """

    user: str
    operation: str
    params: dict[str, Any]
    name: str = ""
    site: Site = "any"
    priority: int = 5
    idempotency_key: str | None = None
    retry_of: str | None = None
    traceparent: str | None = None


class Picture(BaseModel):
    """A picture that came: its size in bytes, its media type as its own bytes tell, its sides in pixels if they do."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    type: str
    width: int | None = None
    height: int | None = None


class Result(BaseModel):
    """What a job gave: its size in bytes, its media type as its own bytes tell, and the text when it is a caption."""

    model_config = ConfigDict(frozen=True)

    bytes: int
    type: str
    caption: str | None = None


class Record(BaseModel):
    """One job as the page knows it."""

    model_config = ConfigDict(frozen=True)

    id: str
    """32 hexadecimal digits, random; also its `message_id` on the bus."""
    number: int = 0
    """Counts the jobs accepted: the newest has the highest."""
    user: str
    operation: str
    params: dict[str, Any]
    name: str = ""
    site: Site = "any"
    priority: int = 5
    retry_of: str | None = None
    traceparent: str | None = None
    picture: Picture

    state: State = "accepted"
    created_ms: int
    updated_ms: int
    ended_ms: int | None = None
    deadline_ms: int
    """After this moment nobody begins it any more."""
    expires_ms: int
    """When it is removed, unless it is under way."""
    cancel_asked: bool = False
    replays: int = 0
    """How often it was sent again out of the dead queue, as far as is known: its end is the answer to the last time."""

    place: int | None = None
    eta_s: tuple[float, float] | None = None
    vm: str | None = None
    route: Route | None = None
    attempt: int | None = None
    waited_ms: int | None = None
    ran_ms: int | None = None
    model: str | None = None
    cost: float | None = None
    """Estimated price, US dollars."""

    result: Result | None = None
    problem: Problem | None = None

    placement: str | None = None
    """The router's id of its latest placement; `past` are those before it, the latest ones."""
    past: tuple[str, ...] = ()
    step: int = 0
    """How far its latest placement is; see `ui.web.jobs.moves`."""
    given_up_ms: int | None = None
    """From when on no answer is hoped for, though its deadline has not passed; `given_up_for` says why."""
    given_up_for: str | None = None

    @property
    def ended(self) -> bool:
        """Whether it has its answer."""
        return self.state in ENDS

    @property
    def kept_bytes(self) -> int:
        """What it takes on the disk, bytes."""
        return JOB_BYTES + self.picture.bytes + (self.result.bytes if self.result else 0)


@dataclass(frozen=True, slots=True)
class Change:
    """A record has changed, or (`record` None) was removed.

    `id` numbers the changes that are kept; None for one that is not, such as a new place in line.
    """

    id: int | None
    user: str
    job_id: str
    record: Record | None


@dataclass(frozen=True, slots=True)
class Reset:
    """Stands where changes were lost: who followed them looks at the jobs anew."""


@dataclass(frozen=True, slots=True)
class Accepted:
    """The job of an order: a new one, or (`is_new` False) that of the same order before."""

    record: Record
    is_new: bool


@dataclass(frozen=True, slots=True)
class Counts:
    """What a user has here: jobs under way, and bytes of all jobs."""

    under_way: int
    kept_bytes: int
