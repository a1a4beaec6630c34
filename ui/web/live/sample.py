"""What the dashboard is told, once a second and at once when a VM changes its state: one `Sample`. Pure.

**The stream** (`GET /api/v1/fleet/events`, server-sent events) begins with `event: state`, a whole sample. Each
`event: sample` after it is a JSON merge patch (RFC 7396) to what was told before: what is absent has not changed,
`null` takes a member away, an object is merged member by member, a list or a plain value takes the place of the old
one. A viewer too slow for one patch a second is told a whole `state` again in place of those it missed. So a browser
keeps one object and does, for either event:

    state: sample = told                                   sample: merge(sample, told)

where merge sets each member, goes into objects, and deletes on null. Nothing is ever null in a whole sample: what is
not known is absent.

**The history** (`GET /api/v1/fleet/history`) is a grid of columns, one row a second: see `History`. To miss nothing,
open the stream first, then fetch the history, and let the samples that came meanwhile take the place of its last rows.

Times named `_ms` are milliseconds since the Unix epoch, on the page's clock; `_s` are seconds; loads are percent.
"""

from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from bus.events import VmState


class Told(BaseModel):
    """What all parts of a sample have in common."""

    model_config = ConfigDict(frozen=True)


class VmTold(Told):
    """One VM."""

    state: VmState
    reason: str | None = Field(None, description="Why it is lost, quarantined, drained or not ready.")
    drained: bool = Field(False, description="Whether an operator drains it.")
    cpu: float | None = Field(None, description="The latest reading, percent; none of a lost VM.")
    load: float | None = Field(None, description="Mean of the last five readings, which the threshold is held against.")
    ram: float | None = Field(None, description="Percent; none of a lost VM.")
    cores: float
    slots: int = Field(description="Jobs it runs at a time.")
    look_ahead: int = Field(description="Jobs it may hold beyond its slots.")
    running: int = Field(description="Jobs it runs now.")
    held: int = Field(description="Jobs it has, running ones included.")
    queued: int | None = Field(None, description="Messages ready in its queue; none where that is not there.")
    age_s: float = Field(description="Seconds since its latest heartbeat.")
    operations: tuple[str, ...] = ()
    not_served: dict[str, str] = Field(default_factory=dict, description="Operation -> why it doesn't serve it.")
    oldest_running_s: float | None = None


class UserTold(Told):
    """What one user has in line."""

    user: str
    queued: int
    seconds: float = Field(description="Predicted computing time of those.")


class RouterTold(Told):
    """The router that routes."""

    name: str
    policy: str
    routed: int = Field(description="Jobs placed since it started.")
    queued: int = Field(description="Jobs it looks ahead at.")
    cloud: str = Field(description="Whether jobs may overflow, or why not, in its words.")


class CloudTold(Told):
    """The bridge that works, and what it has in the cloud."""

    name: str
    state: Literal["ready", "full", "broken", "draining"]
    reason: str | None = None
    in_flight: int
    capacity: int = Field(description="Jobs it would have there at a time; 0 is no limit told.")
    spent_today: float = Field(description="US dollars, estimated, in the last 24 hours.")
    money_per_day: float | None = Field(None, description="The cap on that.")
    sent_last_minute: int
    jobs_per_minute: int | None = Field(None, description="The cap on that.")
    seconds: dict[str, float] = Field(default_factory=dict, description="Operation -> seconds to an answer.")
    operations: tuple[str, ...] = Field((), description="What the cloud serves; none told is all.")


class Quantiles(Told):
    """How long jobs took from being taken up to their end, milliseconds, within 1 %, over the last five minutes."""

    p50: float | None = None
    p95: float | None = None
    p99: float | None = None
    n: int = Field(description="Jobs that this is of; without one there are no figures.")


class Latency(Quantiles):
    """Of all jobs together, and of each operation."""

    by_operation: dict[str, Quantiles] = Field(default_factory=dict)


class Sample(Told):
    """The whole of it, as of `at_ms`."""

    at_ms: int
    connected: bool = Field(description="Whether the page hears the bus; if not, the rest is as it was last heard.")
    vms: dict[str, VmTold]
    lanes: dict[str, int] = Field(description="lane.00 to lane.15 -> jobs waiting there; none before they are counted.")
    queues: dict[str, int] = Field(
        description="Jobs waiting, by where: `lanes` (all of them), `parked.<operation>`, `overflow`, `unanswered` "
        "(problems still to be sent), `dead`."
    )
    users: tuple[UserTold, ...] = Field((), description="Who has most in line, ten at the most.")
    waiting: dict[str, str] = Field(default_factory=dict, description="Operation -> why its jobs wait.")
    paused: tuple[str, ...] = Field((), description="Operations that an operator has paused.")
    why: tuple[str, ...] = Field((), description="Why jobs wait, or would, in lines that name the remedy.")
    router: RouterTold | None = Field(None, description="None where none is heard, or none is active yet.")
    standby: tuple[str, ...] = Field((), description="Routers that stand by.")
    cloud: CloudTold | None = Field(None, description="None where no bridge works.")
    second_ms: int = Field(description="The whole second that the next three tell of; new once a second.")
    placed: dict[str, int] = Field(default_factory=dict, description="VM, or `cloud` -> jobs placed in that second.")
    done: int = 0
    failed: int = 0
    latency: Latency
    cpu_threshold: float
    ram_threshold: float


Column = tuple[float | None, ...]
"""One figure of each second, the oldest first; null where it is not known."""


class VmColumns(Told):
    """One VM over time: null while it was lost, or before it was first heard. With over 600 VMs some are left out."""

    cpu: Column = ()
    load: Column = ()
    ram: Column = ()
    running: Column = ()
    held: Column = ()


class History(Told):
    """The last 15 minutes: row i of each column is the second from `from_ms + i * step_ms`; all have `rows` rows."""

    from_ms: int
    step_ms: Literal[1000] = 1000
    rows: int
    complete: bool = Field(description="False while the time before the page's start is still being read.")
    vms: dict[str, VmColumns]
    placed: dict[str, Column] = Field(description="VM, or `cloud` -> jobs placed in each second.")
    queues: dict[str, Column] = Field(description="As in a sample; known since the page's start.")
    total: dict[str, Column] = Field(
        description="`done`, `failed` (jobs in each second), `p50`, `p95`, `p99` (milliseconds), `in_flight` (jobs in "
        "the cloud), `spent_today` (US dollars)."
    )
