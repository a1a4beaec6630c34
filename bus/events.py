"""What overspill tells of itself on `heartbeats` and `events`: small JSON documents, one model each.

Times named `_ms` are milliseconds since the Unix epoch, `_s` seconds.
"""

from operator import itemgetter
from typing import Annotated, Any, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)

from bus.attempts import HISTORY_REASON
from bus.errors import BadInput
from bus.messages import ANONYMOUS, LONGEST_USER, Message
from bus.problems import bad_field
from bus.topology import VM_NAME
from bus.wire import JSON, MOST, SHORT_BYTES, ShortStr, WireModel, cut

RECEIPT_BYTES = 1024
"""The most a job's event takes as JSON; a receipt leaves out its last candidates to fit."""
EVENT_LIVES_MS = 60_000
"""An event waits no longer in a listener's queue: one that nobody reads and nobody bounded stays small. A stream keeps
its messages all the same."""
MOST_SLOTS = 4096
"""The most slots, and jobs held, that a VM is believed to have."""
MOST_VMS = 65_536
"""VMs that a router says are out of use, at the most."""
MOST_LOST = 64
"""VMs that a router says it has lost, at the most."""
_FEW = 64
"""The most of anything there is one of for each operation, setting or candidate."""


def _not_below_zero(value: Any) -> Any:
    return max(0, value) if isinstance(value, int) else value


Count = Annotated[int, Field(ge=0, le=MOST)]
Slots = Annotated[int, Field(ge=0, le=MOST_SLOTS)]
Seconds = Annotated[float, Field(ge=0)]
PassedMs = Annotated[Count, BeforeValidator(_not_below_zero)]
"""Milliseconds between the clocks of two machines: where they disagree, none have passed."""
FewNames = Annotated[tuple[ShortStr, ...], Field(max_length=_FEW)]


# A caller chooses much of what is told of his job, and must not push everybody else's steps out of the history: what is
# longer is cut.
_Name = Annotated[
    Annotated[str, Field(max_length=SHORT_BYTES // 4)] | Annotated[str, AfterValidator(cut)],
    Field(union_mode="left_to_right"),  # the usual, short ones never leave pydantic's own code
    WithJsonSchema({"type": "string", "maxLength": SHORT_BYTES}),
]
_User = Annotated[
    Annotated[str, Field(max_length=LONGEST_USER)] | Annotated[str, AfterValidator(itemgetter(slice(LONGEST_USER)))],
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "string", "maxLength": LONGEST_USER}),
]
_Reason = Annotated[
    Annotated[str, Field(max_length=HISTORY_REASON)]
    | Annotated[str, AfterValidator(itemgetter(slice(HISTORY_REASON)))],
    Field(union_mode="left_to_right"),
    WithJsonSchema({"type": "string", "maxLength": HISTORY_REASON}),
]


class Heartbeat(WireModel):
    """What an agent says once a second; `worker` is `absent` where only the agent runs."""

    kind: Literal["heartbeat"] = "heartbeat"
    vm: str = Field(pattern=VM_NAME)
    session: ShortStr = Field(description="New with each start of the VM: tells a restart from a late beat.")
    started_ms: Count = Field(description="When this session began.")
    seq: Count = Field(description="Counts the beats of a session.")
    at_ms: Count
    cpu_percent: float = Field(ge=0, le=100)
    ram_percent: float = Field(ge=0, le=100)
    cores: float = Field(gt=0, le=65_536, description="Processors this VM may use; a fraction under a cgroup quota.")
    slots: Slots = Field(description="Jobs it runs at a time; 0 takes none.")
    look_ahead: Slots = Field(0, description="Jobs it may hold beyond its slots.")
    running: Slots = 0
    held: tuple[ShortStr, ...] = Field(
        (), max_length=MOST_SLOTS, description="Placements delivered to the worker and not yet answered."
    )
    oldest_running_s: Seconds | None = None
    operations: FewNames = ()
    not_served: dict[ShortStr, str] = Field(
        default_factory=dict, max_length=_FEW, description="Operation -> why, and how to mend it."
    )
    worker: Literal["ready", "starting", "draining", "absent"] = "absent"
    done: Count = Field(0, description="Jobs answered since the session began.")


class Candidate(WireModel):
    """One VM as the router saw it at a decision. A policy decides on these figures, rounded as they stand here."""

    vm: str
    load: float = Field(description="CPU percent, with a processor's share for each job sent since the beat.")
    ram: float = Field(0.0, description="RAM percent.")
    age_s: Seconds = Field(description="Age of those figures.")
    held: Count = Field(description="Jobs it held, placed or running.")
    slots: Count = Field(1, description="Jobs it runs at a time.")
    room: Count = Field(0, description="How many more it could hold, for this job.")
    end_s: Seconds = Field(0.0, description="Predicted seconds to the job's end there, as likely sooner as later.")
    late_s: Seconds = Field(0.0, description="Predicted seconds that nine of ten such jobs would keep.")
    verdict: str


class CloudSeen(WireModel):
    """The cloud as the router saw it at a decision."""

    open: bool
    end_s: Seconds = Field(
        0.0, description="Predicted seconds to the job's end there, transfer and cold start included."
    )
    cost: float = Field(0.0, ge=0, description="Estimated price, in the currency of the settings.")
    why: str | None = Field(None, description="Why it is not open to this job.")


JobState = Literal[
    "routed", "waiting", "parked", "sent", "running", "retried", "done", "failed", "unanswerable", "replayed", "purged"
]


class JobEvent(WireModel):
    """One step of one job: key `job.<state>.<operation>`.

    `routed` carries the decision's receipt: `policy`, `limits`, `candidates` and `cloud` are all that the policy
    looked at, so feeding them back gives the same choice. `sent` is a job that the cloud has taken. A cancelled job is
    `failed` with the problem `cancelled`. After its end a dead job may be `replayed`, sent to the lanes once more, or
    `purged` for good; `reason` says by whom.
    """

    kind: Literal["job"] = "job"
    state: JobState
    job: _Name
    operation: _Name
    user: _User = ANONYMOUS
    at_ms: Count
    vm: _Name | None = None
    route: Literal["vm", "cloud"] | None = None
    attempt: Count | None = None
    placement: str | None = Field(None, description="Which placement of the job, when it was placed.")
    waited_ms: PassedMs | None = None
    ran_ms: Count | None = None
    sent_ms: Count | None = Field(
        None,
        description="When its caller says it was sent, in whole seconds by the caller's clock; told with `routed`.",
    )
    pixels: Count | None = None
    bytes: Count | None = Field(None, description="The picture's size, where it is in the message.")
    priority: int | None = Field(None, ge=0, le=9)
    site: Literal["any", "local"] | None = Field(None, description="`local` kept it off the cloud.")
    replays: Count | None = Field(
        None, description="How often it was sent again out of the dead queue, this time included; told with `replayed`."
    )
    reason: _Reason | None = None
    problem: _Name | None = Field(None, description="The problem's slug.")
    place: int | None = Field(None, ge=1, le=MOST, description="Place in line, 1 is next; of a job that waits.")
    eta_s: tuple[Seconds, Seconds] | None = Field(
        None, description="Seconds to its end, from when to when; nine of ten jobs should end within."
    )
    policy: str | None = Field(None, description="The policy that chose.")
    limits: dict[str, float] = Field(default_factory=dict, max_length=_FEW, description="The settings the policy read.")
    candidates: tuple[Candidate, ...] = Field(
        (), max_length=_FEW, description="The VMs that were looked at, the best four."
    )
    cloud: CloudSeen | None = None
    cost: float | None = Field(None, ge=0, description="Estimated price of a run in the cloud, US dollars.")
    traceparent: str | None = None

    @property
    def key(self) -> str:
        """The routing key on `events`."""
        return cut(f"job.{self.state}.{self.operation}")


VmState = Literal["joined", "ready", "busy", "draining", "quarantined", "lost"]


class VmEvent(WireModel):
    """A VM changed its state: key `vm.<state>.<name>`."""

    kind: Literal["vm"] = "vm"
    state: VmState
    vm: str
    at_ms: Count
    reason: str | None = None

    @property
    def key(self) -> str:
        """The routing key on `events`."""
        return f"vm.{self.state}.{self.vm}"


class UserBacklog(WireModel):
    """What one user has in line."""

    user: str
    queued: Count
    seconds: Seconds = Field(description="Predicted computing time of those.")


class RouterStatus(WireModel):
    """What a router says once a second: key `router.status`. Tells why jobs wait."""

    kind: Literal["router"] = "router"
    router: str
    at_ms: Count
    active: bool = Field(True, description="Whether it is the one that routes; others stand by.")
    policy: str = "threshold"
    routed: Count = Field(description="Jobs placed since it started.")
    queued: Count = Field(0, description="Jobs it looks ahead at; the rest is in the lanes.")
    users: tuple[UserBacklog, ...] = Field((), max_length=_FEW, description="Who has most in line, ten at the most.")
    waiting: dict[str, str] = Field(
        default_factory=dict, max_length=_FEW, description="Operation -> why its jobs wait."
    )
    paused: FewNames = Field((), description="Operations that an operator has paused.")
    drained: tuple[ShortStr, ...] = Field((), max_length=MOST_VMS, description="VMs that an operator has drained.")
    quarantined: dict[str, str] = Field(
        default_factory=dict, max_length=MOST_VMS, description="VM -> why it gets no jobs though it beats."
    )
    lost: dict[str, Seconds] = Field(
        default_factory=dict,
        max_length=MOST_LOST,
        description="VM lost within the hour -> seconds since its last beat; the last ones lost, for who looks later.",
    )
    cloud: str = Field("no bridge is alive", description="Whether jobs may overflow, or why not.")

    @property
    def key(self) -> str:
        """The routing key on `events`."""
        return "router.status"


class BridgeStatus(WireModel):
    """What a bridge says once a second: key `bridge.<state>`.

    A router believes the cloud open while somebody consumes `overflow`; this tells it what the cloud costs, how long it
    takes, and when to hold back.
    """

    kind: Literal["bridge"] = "bridge"
    bridge: ShortStr
    state: Literal["ready", "full", "broken", "draining"]
    at_ms: Count
    active: bool = Field(True, description="Whether it is the one that works; others stand by.")
    in_flight: Count = 0
    capacity: Count = Field(0, description="Jobs it would have in the cloud at a time; 0 is no limit told.")
    sent_last_minute: Count = 0
    jobs_per_minute: Count | None = Field(None, description="The cap on those.")
    spent_today: float = Field(0.0, ge=0, description="Estimated price of the last 24 hours' cloud jobs, US dollars.")
    money_per_day: float | None = Field(None, ge=0, description="The cap on that.")
    spent_by_hour: dict[ShortStr, float] = Field(
        default_factory=dict, max_length=_FEW, description="The same by hour since the epoch, for who takes over."
    )
    seconds: dict[ShortStr, Seconds] = Field(
        default_factory=dict, max_length=_FEW, description="Operation -> seconds to an answer, typically."
    )
    operations: FewNames = Field((), description="What the cloud serves; none told is all.")
    largest_bytes: Count = Field(0, description="The largest picture it takes; 0 is not told.")
    answered: Count = Field(0, description="Cloud jobs answered since it started.")
    gone: Count = Field(0, description="Answers whose caller's queue was gone.")
    late: Count = Field(0, description="Answers that came twice, or after their job was answered.")
    reason: str | None = Field(None, description="Why the state is not ready.")

    @property
    def key(self) -> str:
        """The routing key on `events`."""
        return f"bridge.{self.state}"


AnyEvent = Heartbeat | JobEvent | VmEvent | RouterStatus | BridgeStatus
Event = Annotated[AnyEvent, Field(discriminator="kind")]
_EVENT: TypeAdapter[AnyEvent] = TypeAdapter(Event)


def heartbeat_key(vm: str) -> str:
    """The routing key of a VM's heartbeats."""
    return f"vm.heartbeat.{vm}"


def read_event(body: bytes) -> AnyEvent:
    """Read what travels on `heartbeats` and `events`. Raises BadInput when it is none of the union."""
    try:
        return _EVENT.validate_json(body)
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None


def event_message(event: BaseModel, routing_key: str) -> Message:
    """An event or heartbeat as a message."""
    body = event.model_dump_json(exclude_none=True).encode()
    return Message(body=body, routing_key=routing_key, content_type=JSON, expiration=str(EVENT_LIVES_MS))
