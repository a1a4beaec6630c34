"""Placing one job of the line: what is chosen for it, and what that changes in the router's books. Pure."""

from dataclasses import dataclass

from bus.copies import like
from bus.events import CloudSeen, JobEvent
from bus.messages import Job
from bus.topology import CLOUD_KEY, DEFAULT_EXCHANGE, parked_queue, vm_queue
from producers import placement
from producers.admission import Config
from producers.ahead import LookAhead
from producers.cloud import Cloud
from producers.commands import Command, Forward, Held, Moment
from producers.estimates import Estimates
from producers.placed import Placed, mark
from producers.placement import Choice, Known, Overflow, Park, ToVm, Wait
from producers.steps import routed, told
from producers.waits import Waits
from producers.work import Outstanding, Work
from telemetry.fleet import Fleet

SLOT_PATIENCE_S = 5.0
"""After so long in line a job that asks for several slots makes do with one less."""


@dataclass(frozen=True, slots=True)
class Books:
    """What the router keeps of VMs, jobs and the cloud."""

    fleet: Fleet
    estimates: Estimates
    work: Work
    placed: Placed
    waits: Waits
    cloud: Cloud
    ahead: LookAhead


class Placer:
    """Places jobs, and writes it down. `waiting` and `parked` tell, by operation, why jobs were not placed."""

    def __init__(self, config: Config, books: Books) -> None:
        self._rules = config.rules
        self._looks_back = config.rules.policy == "predictive"
        self._books = books
        self._known = Known(books.fleet, books.estimates, books.work, receipts=config.receipts)
        self._receipts = config.receipts
        self.waiting: dict[str, str] = {}
        self.parked: dict[str, str] = {}
        self.routed = 0

    def place(self, held: Held, paused: frozenset[str], behind_s: float, now: Moment) -> Command | None:
        """What to do with a job now; None when it has to wait. `behind_s` is computed by the jobs in line behind it."""
        return self._act(held, self._choose(held, paused, behind_s, now.mono_s), now)

    def _choose(self, held: Held, paused: frozenset[str], behind_s: float, now_s: float) -> Choice:
        job, wish = held.job, held.wish
        if job.operation in paused:
            return Park(f"{job.operation} is paused by an operator")
        first = self._first_run(held, now_s) if held.home is not None else None
        if first is not None:
            return first
        cloud = self._seen(held, now_s)
        if wish.slots > 1:
            # Single slots are taken as they come free, so one that needs several might wait for ever.
            wish = wish._replace(slots=max(1, wish.slots - int((now_s - held.arrived_s) / SLOT_PATIENCE_S)))
        if self._looks_back:
            wish = wish._replace(behind_s=max(0.0, behind_s))
        choice = placement.place(wish, self._known, self._rules, cloud, now_s)
        if isinstance(choice, Park) and self._will_overflow(held, now_s):
            return Wait(f"{choice.reason}; the cloud: {cloud.why}")
        return choice

    def _seen(self, held: Held, now_s: float) -> CloudSeen:
        """The cloud as it is for one job."""
        job, stays = held.job, None
        if held.wish.local:
            stays = "the job is kept on local machines"
        elif now_s - held.arrived_s < held.stays_s:
            stays = f"it came home from the cloud: {job.history[-1].reason}"
        return self._books.cloud.seen(job.operation, held.wish.megapixels, len(job.body), now_s, stays=stays)

    def _will_overflow(self, held: Held, now_s: float) -> bool:
        """Whether the cloud takes the job sooner or later, so that it need not step aside until a VM serves it."""
        cloud, job = self._books.cloud, held.job
        fits = not held.wish.local and len(job.body) <= cloud.largest_bytes(now_s)
        return fits and cloud.serves(job.operation, now_s)

    def _first_run(self, held: Held, now_s: float) -> Choice | None:
        """Send a repeat to the VM of its first run, which answers both, or keeps the answer."""
        view = self._books.fleet.views(now_s).get(held.home or "")
        if view is None or not view.takes_jobs or held.job.operation not in view.operations:
            return None
        if view.room > 0:
            return ToVm(view.name, "a repeat: this VM ran it, and may still keep the answer")
        if self._books.fleet.holder(mark(held.job)) == view.name:
            return Wait(f"its first run is under way on {view.name}")
        return None

    def _act(self, held: Held, choice: Choice, now: Moment) -> Command | None:
        match choice:
            case ToVm():
                return self._to_vm(held, choice, now)
            case Overflow():
                return self._to_cloud(held, choice, now)
            case Park(reason) if held.queue != parked_queue(held.job.operation):
                self.parked[held.job.operation] = reason
                # Parking is no placement: the attempt counted on arrival is taken back.
                job = held.job.model_copy(update={"attempt": max(0, held.job.attempt - 1)})
                step = told(held.job, reason, now, state="parked")
                return Forward(held.carrying(job), parked_queue(job.operation), step, DEFAULT_EXCHANGE)
            case _:
                self.waiting[held.job.operation] = choice.reason
        return None

    def _to_cloud(self, held: Held, choice: Overflow, now: Moment) -> Forward:
        job = like(held.job, placement=self._books.placed.next_id(held.job))
        self._books.cloud.sent(job.place, choice.cloud.cost, held.seconds, now.mono_s)
        self._books.waits.placed(held.ticket, job.place)
        self.routed += 1
        return Forward(held.carrying(job), CLOUD_KEY, self._receipt(held, job, choice, now))

    def _to_vm(self, held: Held, choice: ToVm, now: Moment) -> Forward:
        books, vm, now_s = self._books, choice.vm, now.mono_s
        operation, megapixels = held.wish.operation, held.wish.megapixels
        place = books.placed.next_id(held.job)
        job = like(held.job, placement=place)
        predicted = books.estimates.predict(operation, megapixels, vm)
        books.fleet.placed(vm, place, now_s, slots=choice.slots)
        run = (operation, megapixels, choice.slots, predicted)
        books.work.placed(Outstanding(place, vm, job.user, *run, now_s, held.seconds, is_guess=job.pixels is None))
        books.ahead.look(vm, now_s)
        books.placed.placed(job, vm)
        books.waits.placed(held.ticket, place)
        self.routed += 1
        return Forward(held.carrying(job), vm_queue(vm), self._receipt(held, job, choice, now))

    def _receipt(self, held: Held, job: Job, choice: ToVm | Overflow, now: Moment) -> JobEvent | None:
        return routed(job, choice, now, sent_ms=held.sent_ms) if self._receipts else None
