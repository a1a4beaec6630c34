"""Who comes in: a job that was delivered becomes one that waits in line, or a problem. Pure."""

from dataclasses import dataclass, field

from bus.copies import like
from bus.messages import Job, Message
from bus.problems import Kind, Problem
from bus.settings import Settings
from bus.topology import CLOUD_KEY, OPERATIONS, parked_queue, vm_of
from producers.cloud import Terms
from producers.commands import Arrival, Held, Moment
from producers.estimates import Estimates
from producers.limits import Limits
from producers.line import Line
from producers.megapixels import pixels_of
from producers.placed import Placed, mark
from producers.placement import Rules, Wish
from producers.retries import delay_s
from telemetry.fleet import Fleet

_PARKED = frozenset(map(parked_queue, OPERATIONS))


LEAD_S = 0.015
"""About twice what a job needs from the router to a VM."""
STAYS_S = 5.0
"""How long a job stays that came home from the cloud, doubled each further time. By then the bridge has told why."""
CLAIMED_MEGAPIXELS = 24.0
"""What a picture that lies in the blob store is taken to have: what lies there is large, and the router can't look."""


@dataclass(frozen=True, slots=True)
class Config:
    """What the dispatcher is told by the settings. Sizes in bytes, `retry_delay_s` in seconds.

    `lead_s` is how long before a slot comes free a VM is given its next job; None gives it one at any time.
    """

    rules: Rules = field(default_factory=Rules)
    max_image_bytes: int = 16 << 20
    max_attempts: int = 3
    retry_delay_s: float = 0.5
    slot_megapixels: float = 25.0
    lead_s: float | None = None
    user_queued: int = 1000
    user_jobs_per_minute: int | None = None
    user_weights: dict[str, float] = field(default_factory=dict)
    cloud: Terms = field(default_factory=Terms)
    receipts: bool = True
    """Whether each placement tells what it rested on, as an event."""

    @classmethod
    def of(cls, settings: Settings) -> "Config":
        """The part of the settings that is the dispatcher's."""
        alike = set(cls.__dataclass_fields__) - {"rules", "lead_s", "cloud", "receipts"}
        rules = Rules(settings.policy, settings.cpu_threshold, settings.ram_threshold)
        same = {name: getattr(settings, name) for name in alike}
        return cls(rules=rules, lead_s=LEAD_S, cloud=Terms.of(settings), **same)


class Admission:
    """Reads what a job asks for, counts its attempts, and holds it to the limits."""

    def __init__(self, config: Config, fleet: Fleet, estimates: Estimates, placed: Placed) -> None:
        self._config = config
        self._fleet = fleet
        self._estimates = estimates
        self._placed = placed
        self._limits = Limits(config.user_queued, config.user_jobs_per_minute)

    def admit(self, arrival: Arrival, job: Job, line: Line, now: Moment) -> Held | Problem:
        """The job as it waits in `line`, or why it may not."""
        # Only a job that comes for the first time: what was taken once is not refused for its number later.
        is_fresh = arrival.is_new and not arrival.redelivered
        # Read from the picture each time: the header is anybody's to write, and decides what a job costs its user.
        job = like(job, attempt=job.attempt + 1, pixels=pixels_of(job.body) if job.body else None)
        fault = self._fault(job, now) or (self._excess(job.user, line, now) if is_fresh else None)
        return fault or self._held(arrival, job, now)

    def delay_s(self, held: Held, now: Moment) -> float:
        """How long a retry still has to wait: what the last attempt failed on may pass.

        What the cloud did not take need not wait for a VM.
        """
        job = held.job
        if not job.history or job.history[-1].vm == CLOUD_KEY:
            return 0.0
        since_s = max(0.0, (now.wall_ms - job.history[-1].at_ms) / 1000)
        return max(0.0, delay_s(job.attempt - 1, self._config.retry_delay_s, job.id) - since_s)

    def on_its_way_home(self, arrival: Arrival, job: Job, now: Moment) -> Job:
        """A job taken out of a queue that nobody serves, as it goes back to its lane, where an attempt is counted."""
        if arrival.queue in _PARKED:
            return job  # parking had taken back what was counted
        vm = vm_of(arrival.queue)
        begun = arrival.returns and vm is not None and self._placed.has_begun(job.place)
        # It counts as an attempt only if it was begun. Telemetry may be lost, so what came back more than once is
        # believed to have been.
        if not begun and arrival.returns <= 1:
            return job.model_copy(update={"attempt": max(0, job.attempt - 1)})
        reason = f"{vm or 'the bridge'} ended, or fell silent, while it had the job"
        told = job.failed(at_ms=now.wall_ms, reason=reason, vm=vm)
        return told.model_copy(update={"attempt": job.attempt + max(0, arrival.returns - 1)})

    def _held(self, arrival: Arrival, job: Job, now: Moment) -> Held:
        megapixels = CLAIMED_MEGAPIXELS if job.pixels is None else job.pixels / 1e6
        # An operator who sent it again is no VM: what counts is where it died before.
        failed_on = next((told.vm for told in reversed(job.history) if told.vm), None)
        slots = 1 + int(megapixels / self._config.slot_megapixels)
        avoid = None if failed_on == CLOUD_KEY else failed_on
        wish = Wish(job.operation, megapixels, slots, job.site == "local", avoid, f"{job.id}/{job.attempt}")
        seconds = self._estimates.predict(job.operation, megapixels).p50
        home = self._home(arrival, job)
        stays_s = _stays_s(job)
        return Held(arrival.ticket, arrival.queue, job, wish, seconds, now.mono_s, home, arrival.sent_ms, stays_s)

    def _home(self, arrival: Arrival, job: Job) -> str | None:
        """The VM of its first run; a job that failed there is tried elsewhere."""
        if job.attempt > 1:
            return None
        home = self._placed.home(job, redelivered=arrival.redelivered)
        return self._fleet.holder(mark(job)) if home is None and arrival.redelivered else home

    def _excess(self, user: str, line: Line, now: Moment) -> Problem | None:
        ahead_s = line.seconds(user) / max(1, self._fleet.slots)
        return self._limits.admit(user, line.queued(user), ahead_s, now.mono_s)

    def _fault(self, job: Job, now: Moment) -> Problem | None:
        config = self._config
        if job.left_ms(now.wall_ms) == 0:
            return Problem.of(Kind.EXPIRED, "The job's time to live ran out before it could be placed.")
        if not job.body and not job.claim:
            return Problem.of(Kind.EMPTY_IMAGE, "The message has no body.", field="body")
        if len(job.body) > config.max_image_bytes:
            detail = f"The image has {len(job.body):,} bytes; at most {config.max_image_bytes:,} are taken."
            return Problem.of(Kind.TOO_MANY_BYTES, detail, field="body", limit=config.max_image_bytes)
        if job.attempt > config.max_attempts:
            last = f"; the last: {job.history[-1].reason}" if _is_for_its_caller(job) else ""
            detail = f"{config.max_attempts} attempts came to nothing{last}."
            return Problem.of(Kind.TOO_MANY_ATTEMPTS, detail, limit=config.max_attempts)
        return None


def _is_for_its_caller(job: Job) -> bool:
    """Whether its last attempt is told to who sent it: why the cloud gave it back may name machines of the site."""
    return bool(job.history) and job.history[-1].vm != CLOUD_KEY


def _stays_s(job: Job) -> float:
    """For how long it is not sent into the cloud from which it has just come home."""
    if not job.history or job.history[-1].vm != CLOUD_KEY:
        return 0.0
    came_home = [told.vm for told in job.history].count(CLOUD_KEY)
    return STAYS_S * 2.0 ** (came_home - 1)


def given_back(message: Message) -> Problem:
    """Why the broker took a job out of its queue."""
    reason = message.headers.get("x-first-death-reason")
    if reason == "expired":
        return Problem.of(Kind.EXPIRED, "The job waited longer than its expiration allows.")
    return Problem.of(Kind.TOO_MANY_ATTEMPTS, f"The broker gave the job back ({reason}).")
