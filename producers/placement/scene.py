"""From the fleet to offers: what one decision looks at, and no more of it than it needs. Pure."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from producers.estimates import Estimates, Range
from producers.placement.choices import SHOWN, Asked, Offer, Wish
from producers.work import Work
from telemetry.fleet import Fleet
from telemetry.vm_view import VmView

LOOKED_AT = 64
"""VMs looked at for one job, those first that changed least recently: more would hardly find a better one."""


@dataclass(frozen=True, slots=True)
class Known:
    """What placement knows of the VMs."""

    fleet: Fleet
    estimates: Estimates
    work: Work
    receipts: bool = True
    """Whether a choice tells what it rested on."""


@dataclass(slots=True)
class Scene:
    """One job, and what is known at this moment. `now` is the fleet's clock, seconds; `typical` the run anywhere."""

    wish: Wish
    asked: Asked
    known: Known
    now: float
    typical: Range

    def open(self) -> Iterator[VmView]:
        """The VMs with room for the job, but the one to avoid; least recently changed first."""
        wish = self.wish
        views: Iterable[VmView] = self.known.fleet.open(wish.operation)
        if wish.slots == 1 and wish.avoid is None:
            return iter(views)
        return (view for view in views if view.name != wish.avoid and has_room(view, wish.slots))

    def share(self, looked_at: int) -> float:
        """Which share of the VMs with room so many are, 0 to 1."""
        return min(1.0, looked_at / max(1, len(self.known.fleet.open(self.wish.operation))))

    def full(self) -> Iterator[VmView]:
        """Those of the first VMs that serve it, the one to avoid left out, which have no room for it."""
        wish = self.wish
        views = islice(self.known.fleet.serving(wish.operation), LOOKED_AT)
        return (view for view in views if view.name != wish.avoid and not has_room(view, wish.slots))

    def first_offers(self) -> list[Offer]:
        """The open VMs that are looked at; where there are none, a few full ones for the receipt."""
        offers = [self.offer(view) for view in islice(self.open(), LOOKED_AT)]
        return offers or ([self.offer(view) for view in islice(self.full(), SHOWN)] if self.asked.cloud.open else [])

    def offer(self, view: VmView) -> Offer:
        """The figures of a VM that takes jobs, but for the job's end there."""
        # In line, since it is done 64 times for a job. It is as exact as round(), and several times as quick.
        load, ram = int(view.load * 10 + 0.5) / 10, int(view.ram_percent * 10 + 0.5) / 10
        age_s = int((self.now - view.heard_at) * 100 + 0.5) / 100
        held = view.held_slots
        room = view.capacity - held
        return Offer(view.name, load, ram, age_s, held, view.slots, max(0, room))

    def runs(self, views: Iterable[VmView]) -> list[tuple[float, VmView]]:
        """The VMs, each with how many seconds the job is expected to run there, as likely more as less."""
        typical_s, factor = self.typical.p50, self.known.estimates.factors(self.wish.operation)
        return [(typical_s * factor(view.name), view) for view in views]

    def foreseen(self, offer: Offer) -> Offer:
        """The offer with the job's end: the wait for a slot, and the run.

        When a slot will be free only the work placed there tells. A VM with an idle slot has no wait, even if that work
        says otherwise: its heartbeats are the better witness.
        """
        factor = self.known.estimates.factor(self.wish.operation, offer.vm)
        is_idle = offer.held < offer.slots
        wait_s = 0.0 if is_idle else self.known.work.wait_s(offer.vm, offer.slots, self.now)
        typical = self.typical
        end_s, late_s = wait_s + typical.p50 * factor, wait_s + typical.p90 * factor
        vm, load, ram, age_s, held, slots, room, _, _ = offer
        ends = int(end_s * 1000 + 0.5) / 1000, int(late_s * 1000 + 0.5) / 1000
        return Offer(vm, load, ram, age_s, held, slots, room, *ends)


def has_room(view: VmView, slots: int) -> bool:
    """Whether a VM has room for a job of `slots` slots, as `Offer.fits` tells from an offer."""
    return view.room >= max(1, min(slots, view.slots, view.held_slots + view.room))
