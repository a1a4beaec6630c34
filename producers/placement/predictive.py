"""Where the job is expected to end soonest: on a VM with room, on a faster one that is full, or in the cloud. Pure.

To leave a slow machine idle while a fast one has a line is right only as long as the line is short (Lin and Kumar,
"Optimal Control of a Queueing System with Two Heterogeneous Servers", 1984): so the jobs behind count as well.
"""

from collections.abc import Iterable, Sequence
from itertools import islice
from math import inf
from typing import NamedTuple

from producers.placement.choices import FULL, SHOWN, Asked, Decision, Offer
from producers.placement.scene import LOOKED_AT, Scene
from telemetry.vm_view import VmView

NEAR = 1.05
"""Ends that lie within this factor of the soonest are as good: the least filled VM takes the job."""
SOONER = 1.5
"""How many times as long a VM with room must take as waiting for a faster one does, before that is waited for."""
ASKED = 6
"""VMs without an idle slot that are asked how long the wait is, those of the shortest runs; as many of full ones."""


def look(scene: Scene) -> list[Offer]:
    """A short list: idle slots by what a run takes there, then VMs whose line may be worth standing in, or waiting for.

    How long a run takes is quickly told. How long it would wait for a slot is not, and is asked only of VMs so fast
    that the wait may be made up for.
    """
    views = list(islice(scene.open(), LOOKED_AT))
    idle = [(scene.run_s(view.name), view) for view in views if view.held_slots < view.slots]
    soon_s = min((run_s for run_s, _ in idle), default=inf)
    # Apart, so that fast VMs that are full can't crowd out those that have room.
    queued = _fastest(scene, (view for view in views if view.held_slots >= view.slots), soon_s)
    full = _fastest(scene, islice(scene.full(), LOOKED_AT - len(views)), soon_s)
    return [scene.foreseen(scene.offer(view)) for _, view in [*_idlest(idle, soon_s), *queued, *full]]


def _fastest(scene: Scene, views: Iterable[VmView], soon_s: float) -> list[tuple[float, VmView]]:
    runs = [(run_s, view) for view in views if (run_s := scene.run_s(view.name)) * NEAR < soon_s]
    return sorted(runs, key=_run_s)[:ASKED]


def _idlest(idle: list[tuple[float, VmView]], soon_s: float) -> list[tuple[float, VmView]]:
    """The least filled of those that end it about as soon as the soonest does, then those that end it next."""
    near = [run for run in idle if run[0] <= soon_s * NEAR]
    near.sort(key=lambda run: (run[1].held_slots / run[1].slots, run[0]))
    if len(near) >= SHOWN:
        return near[:SHOWN]
    return near + sorted((run for run in idle if run[0] > soon_s * NEAR), key=_run_s)[: SHOWN - len(near)]


def _run_s(run: tuple[float, VmView]) -> float:
    return run[0]


def choose(asked: Asked, offers: Sequence[Offer]) -> Decision:
    """Take the soonest end; of VMs that end it about as soon, the least filled.

    A full VM is waited for when the job, and those behind it in line, are expected to end clearly sooner so. The cloud
    takes the job when it is expected to be sooner than any VM, waiting included.
    """
    local = _local(asked, offers)
    cloud_s = asked.cloud.end_s
    if asked.cloud.open and cloud_s < min(local.free_s, local.turn_s):
        return Decision("cloud", _why_cloud(cloud_s, local), _by_end(offers))
    if local.waits:
        return _waiting(local)
    best, near, later = local.free[0], local.near, local.free[local.near :]
    # What was weighed against the first comes second, so that it is not cut off a receipt.
    weighed = local.full[:1] if local.full_s < best.end_s else []
    soonest = f"the soonest end where there is room, in {best.end_s:g} s"
    said = soonest if near == 1 else f"the least filled of {near} that should end it soonest"
    return Decision("vm", said, [best, *weighed, *local.free[1:near], *later][:SHOWN])


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
        return not self.free or self.turn_s * SOONER < self.free_s


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
