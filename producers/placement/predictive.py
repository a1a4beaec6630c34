"""Where the job is expected to end soonest: on a VM with room, on a faster one that is full, or in the cloud. Pure.

Short jobs leave the fastest VMs to long ones: of what a user waits longest for, little is lost by a short job that
takes a little longer, and much by a long one that finds slow VMs only.

To leave a slow machine idle while a fast one has a line is right only as long as the line is short (Lin and Kumar,
"Optimal Control of a Queueing System with Two Heterogeneous Servers", 1984): so the jobs behind count as well.
"""

from collections.abc import Iterable, Sequence
from heapq import nlargest
from itertools import accumulate, islice
from math import inf
from typing import NamedTuple

from producers.placement.choices import FULL, SHOWN, Asked, Decision, Offer
from producers.placement.scene import LOOKED_AT, Scene
from telemetry.vm_view import VmView

NEAR = 1.05
"""Ends that lie within this factor are as good: the least filled VM takes the job."""
KEPT = 0.05
"""Share of the fleet's slots, the fastest idle ones, that short jobs leave to long ones."""
WALKED = 256
"""VMs with room among which those with an idle slot are looked for, those first that changed least recently."""
ASKED = 6
"""VMs without an idle slot that are asked how long the wait is; as many of full ones."""
LINE = 5.0
"""How many times the line behind a job counts against waiting for a full VM: all in it hope for the same slots."""

_Run = tuple[float, VmView]


def look(scene: Scene) -> list[Offer]:
    """A short list: idle slots by what a run takes there, then VMs whose line may be worth standing in, or waiting for.

    A short job is shown no faster VMs than it may take, but for what a receipt tells. How long a run takes is quickly
    told. How long it would wait for a slot is not, and is asked only of VMs so fast that the wait may be made up for.
    """
    # Far: a VM just freed stands behind all that have only room to look ahead.
    views = list(islice(scene.open(), WALKED))
    idle = sorted(scene.runs([view for view in views if view.held_slots < view.slots]), key=_run_s)
    soon_s = idle[0][0] if idle else inf
    early_s = scene.asked.early_s
    if soon_s <= early_s:
        kept = KEPT * scene.known.fleet.slots * scene.share(len(views))
        return [scene.foreseen(scene.offer(view)) for _, view in _early(idle, early_s, kept)]
    busy = [view for view in views if view.held_slots >= view.slots][:LOOKED_AT]
    if early_s and (lines := _slowest(scene, busy)):
        return lines
    # Apart, so that fast VMs that are full can't crowd out those that have room.
    queued = _fastest(scene, busy, soon_s)
    full = _fastest(scene, islice(scene.full(), max(0, LOOKED_AT - len(views))), soon_s)
    return [scene.foreseen(scene.offer(view)) for _, view in [*_idlest(idle, soon_s), *queued, *full]]


def _early(idle: Iterable[_Run], enough_s: float, kept: float) -> list[_Run]:
    """The VMs for a short job: the fastest but for so many kept slots, the least filled first.

    Faster ones follow, to be seen. Where the slots kept are all there are, the slowest is left.
    """
    early = [run for run in idle if run[0] <= enough_s]
    slots = accumulate(view.slots - view.held_slots for _, view in early)
    last = next((place for place, many in enumerate(slots) if many > kept), len(early) - 1)
    near = [run for run in early[: last + 1] if run[0] * NEAR >= early[last][0]]
    faster = early[: last + 1 - len(near)]
    near.sort(key=lambda run: (run[1].held_slots / run[1].slots, -run[0]))
    return [*near, *faster][:SHOWN]


def _slowest(scene: Scene, views: Iterable[VmView]) -> list[Offer]:
    """Where a short job that finds no idle slot may stand in line: the slowest VMs that end it soon enough even so."""
    early_s = scene.asked.early_s
    runs = [run for run in scene.runs(views) if run[0] <= early_s]
    asked = nlargest(ASKED, runs, key=_run_s)
    return [offer for _, view in asked if (offer := scene.foreseen(scene.offer(view))).end_s <= early_s]


def _fastest(scene: Scene, views: Iterable[VmView], soon_s: float) -> list[_Run]:
    runs = [run for run in scene.runs(views) if run[0] * NEAR < soon_s]
    return sorted(runs, key=_run_s)[:ASKED]


def _idlest(idle: list[_Run], soon_s: float) -> list[_Run]:
    """The least filled of those that end it about as soon as the soonest does, then those that end it next."""
    near = [run for run in idle if run[0] <= soon_s * NEAR]
    near.sort(key=lambda run: (run[1].held_slots / run[1].slots, run[0]))
    return [*near, *idle[len(near) :]][:SHOWN]


def _run_s(run: _Run) -> float:
    return run[0]


def choose(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """Take the soonest end; of VMs that end it about as soon, the least filled.

    A short job takes the slowest of the VMs offered that ends it soon enough. A full VM is waited for when the job,
    and those behind it in line, are expected to end sooner so. The cloud takes the job when it is expected to be sooner
    than any VM, waiting included.
    """
    cloud_s = asked.cloud.end_s if asked.cloud.open else inf
    early = [offer for offer in offers if offer.end_s <= asked.early_s and _has_idle_slot(offer, asked.slots)]
    if early:
        return _short(asked, early)
    local = _local(asked, offers)
    if cloud_s < min(local.free_s, local.turn_s):
        return Decision("cloud", _why_cloud(cloud_s, local), _by_end(offers))
    if local.waits:
        return _waiting(local)
    best, near, later = local.free[0], local.near, local.free[local.near :]
    # What was weighed against the first comes second, so that it is not cut off a receipt.
    weighed = local.full[:1] if local.full_s < best.end_s else []
    soonest = f"the soonest end where there is room, in {best.end_s:g} s"
    said = soonest if near == 1 else f"the least filled of {near} that should end it soonest"
    return Decision("vm", said, [best, *weighed, *local.free[1:near], *later][:SHOWN])


def _has_idle_slot(offer: Offer, slots: int) -> bool:
    return offer.held < offer.slots and offer.fits(slots)


def _short(asked: Asked, early: Sequence[Offer]) -> Decision:
    slow_s = max(offer.end_s for offer in early)
    near = [offer for offer in early if offer.end_s * NEAR >= slow_s]
    near.sort(key=lambda offer: (offer.filled(asked.slots), -offer.end_s, offer.vm))
    faster = _by_end([offer for offer in early if offer.end_s * NEAR < slow_s])
    said = f"soon enough, in {near[0].end_s:g} s"
    if faster:
        said += "; faster VMs are kept for longer jobs"
    return Decision("vm", said, [*near, *faster][:SHOWN])


class _Local(NamedTuple):
    """The VMs, as far as they matter: `free` in the order of preference, the first `near` as soon as the soonest."""

    free: list[Offer]
    near: int
    full: list[Offer]
    behind_s: float

    @property
    def free_s(self) -> float:
        """Seconds to the job's end on the VM that would take it now."""
        return self.free[0].end_s if self.free else inf

    @property
    def full_s(self) -> float:
        """Seconds to the job's end on the full VM that would end it soonest."""
        return self.full[0].end_s if self.full else inf

    @property
    def turn_s(self) -> float:
        """Seconds to the end of the jobs behind as well, if they all wait."""
        return self.full_s + self.behind_s

    @property
    def waits(self) -> bool:
        return not self.free or self.full_s * NEAR + LINE * self.behind_s < self.free_s


def _local(asked: Asked, offers: Sequence[Offer]) -> _Local:
    slots = asked.slots
    fitting = _by_end([offer for offer in offers if offer.fits(slots)], len(offers))
    soon_s = fitting[0].end_s * NEAR if fitting else 0.0
    near = [offer for offer in fitting if offer.end_s <= soon_s]
    near.sort(key=lambda offer: (offer.filled(slots), offer.end_s, offer.vm))
    full = [offer for offer in offers if not offer.fits(slots)]
    return _Local([*near, *fitting[len(near) :]], len(near), _by_end(full), asked.behind_s)


def _waiting(local: _Local) -> Decision:
    shown = [*local.full[:1], *local.free, *local.full[1:]][:SHOWN]
    if not local.free:
        return Decision(None, FULL, shown)
    faster, free = local.full[0], local.free[0]
    said = f"{faster.vm} is full, but should end it in {faster.end_s:g} s, and {free.vm} in {free.end_s:g} s"
    return Decision(None, said, shown)


def _why_cloud(cloud_s: float, local: _Local) -> str:
    local_s = min(local.free_s, local.turn_s)
    if local_s == inf:
        return f"no VM has room, and the cloud should end it in {cloud_s:g} s"
    line = ", with the jobs behind it," if local.behind_s and local.turn_s < local.free_s else ""
    return f"the cloud should end it in {cloud_s:g} s, a VM{line} in {local_s:.4g} s"


def _by_end(offers: Sequence[Offer], most: int = SHOWN) -> list[Offer]:
    return sorted(offers, key=lambda offer: (offer.end_s, offer.vm))[:most]
