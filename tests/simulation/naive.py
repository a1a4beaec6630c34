"""A rule to compare with: the VM whose latest heartbeat told the least CPU takes the job, whatever was sent since."""

from bus.control import Orders
from bus.copies import like
from bus.events import AnyEvent, Heartbeat, JobEvent
from bus.messages import Job
from bus.topology import vm_queue
from producers.commands import Arrival, Command, Forward, Held, Moment
from producers.placement import Wish


class Naive:
    """Until the next beat every job goes to the same VM: the herd."""

    def __init__(self) -> None:
        self._load: dict[str, float] = {}
        self._placements = 0
        self._template = JobEvent(state="routed", job="0", operation="sketch", at_ms=0, route="vm")

    wake_s = None
    holds = 0

    def activate(self, orders: Orders, places_from_s: float, now: Moment) -> list[Command]:
        """Nothing to learn first."""
        return []

    def admit(self, arrival: Arrival, job: Job, now: Moment) -> list[Command]:
        """Send the job on at once."""
        vm = min(self._load, key=self._load.__getitem__)
        self._placements += 1
        job = like(job, placement=f"p{self._placements}", attempt=job.attempt + 1)
        event = like(self._template, job=job.id, vm=vm)
        held = Held(arrival.ticket, arrival.queue, job, Wish(job.operation), 0.0, now.mono_s)
        return [Forward(held, vm_queue(vm), event)]

    def heard(self, event: AnyEvent, now: Moment) -> list[Command]:
        """Only what a VM says of its CPU counts."""
        if isinstance(event, Heartbeat):
            self._load[event.vm] = event.cpu_percent
        return []

    def bridges(self, consumers: int, now: Moment) -> list[Command]:
        """It knows no cloud."""
        return []

    def rejected(self, held: Held, key: str, now: Moment) -> list[Command]:
        """It is not meant for a broker that refuses."""
        raise AssertionError(f"{key} refused a job")

    def tick(self, now: Moment) -> list[Command]:
        """It minds no time."""
        return []

    def wake(self, now: Moment) -> list[Command]:
        """It asks for no such call."""
        return []
