"""Offers, fleets and events as the tests of placement need them."""

from typing import Any

from hypothesis import strategies as st

from bus.events import CloudSeen, Heartbeat, JobEvent
from producers.estimates import Estimates
from producers.placement.choices import Asked, Choice, Offer, Overflow, Rules, ToVm, Wish
from producers.placement.decide import place
from producers.placement.policies import POLICIES
from producers.placement.scene import Known
from producers.work import Outstanding, Work
from telemetry.fleet import Fleet

CLOSED = CloudSeen(open=False, why="no bridge is alive")
OPEN = CloudSeen(open=True, end_s=6.0)
NOW = 100.5


def offer(vm: str = "vm1", **figures: Any) -> Offer:
    """A quiet VM of two slots and a look-ahead of one."""
    known = {"load": 10.0, "ram": 50.0, "age_s": 0.5, "held": 0, "slots": 2} | figures
    known.setdefault("room", known["slots"] + 1 - known["held"])
    return Offer(vm, **known)


def asked(cloud: CloudSeen = CLOSED, slots: int = 1, behind_s: float = 0.0, enough_s: float = 0.0) -> Asked:
    return Asked(slots, Rules(), cloud, behind_s, enough_s)


def beat(vm: str = "vm1", **said: Any) -> Heartbeat:
    figures: dict[str, Any] = {"session": "s", "started_ms": 0, "seq": 0, "at_ms": 0, "cpu_percent": 10}
    figures |= {"ram_percent": 50, "cores": 2, "slots": 2, "look_ahead": 1, "operations": ("sketch",)}
    return Heartbeat(vm=vm, **(figures | {"worker": "ready"} | said))


def fleet(*beats: Heartbeat) -> Fleet:
    heard = Fleet()
    for said in beats:
        heard.heard(said, 100.0)
    return heard


def known(*beats: Heartbeat) -> Known:
    return Known(fleet(*beats), Estimates(), Work())


def fill(vms: Known, vm: str, jobs: int, *, slots: int = 1) -> None:
    """Place jobs on a VM, as a dispatcher does: sketches of two megapixels."""
    predicted = vms.estimates.predict("sketch", 2.0, vm)
    for number in range(jobs):
        placement = f"{vm}-{number}"
        vms.fleet.placed(vm, placement, NOW, slots)
        vms.work.placed(Outstanding(placement, vm, "anna", "sketch", 2.0, slots, predicted, NOW))


def runs(vms: Known, vm: str, seconds: float) -> None:
    """Let a VM be known for how long it takes."""
    for _ in range(50):
        vms.estimates.observe("sketch", 2.0, vm, seconds)


def choose(vms: Known, policy: str = "threshold", cloud: CloudSeen = CLOSED, **wish: Any) -> Choice:
    given: dict[str, Any] = {"operation": "sketch", "megapixels": 2.0} | wish
    return place(Wish(**given), vms, Rules(policy), cloud, NOW)


def routed(choice: ToVm | Overflow, **fields: Any) -> JobEvent:
    """The event that tells of a choice."""
    told: dict[str, Any] = {"job": "j", "operation": "sketch", "at_ms": 0, "state": "routed"}
    told |= {"vm": choice.vm, "route": "vm"} if isinstance(choice, ToVm) else {"route": "cloud"}
    told |= {"reason": choice.reason, "candidates": choice.candidates}
    return JobEvent(**{**told, **choice.inputs, **fields})


policies = st.sampled_from(sorted(POLICIES))
clouds = st.one_of(st.just(CLOSED), st.builds(CloudSeen, open=st.just(True), end_s=st.floats(0.0, 5.0)))
wishes = st.builds(
    Wish,
    operation=st.sampled_from(["sketch", "caption"]),
    megapixels=st.floats(0.0, 50.0),
    slots=st.integers(1, 5),
    local=st.booleans(),
    avoid=st.sampled_from([None, "vm0", "vm1"]),
    key=st.text(max_size=5),
    behind_s=st.sampled_from([0.0, 0.5, 60.0]),
)
_beats = st.builds(
    beat,
    cpu_percent=st.floats(0, 100),
    ram_percent=st.floats(0, 100),
    slots=st.integers(0, 4),
    look_ahead=st.integers(0, 2),
    worker=st.sampled_from(["ready", "ready", "ready", "starting", "draining"]),
    operations=st.sampled_from([("sketch",), ("sketch", "caption")]),
)


@st.composite
def fleets(draw: st.DrawFn) -> Known:
    """VMs of all conditions, with jobs on them, some heard of long ago, some drained, of unequal speed."""
    beats = draw(st.lists(_beats, max_size=8))
    vms = Known(Fleet(), Estimates(), Work())
    silent = draw(st.integers(0, 2))
    for number, said in enumerate(beats):
        name = f"vm{number}"
        vms.fleet.heard(said.model_copy(update={"vm": name}), 97.0 if number < silent else 99.5)
        fill(vms, name, draw(st.integers(0, 6)), slots=draw(st.integers(1, 2)))
        if draw(st.booleans()):
            vms.estimates.observe("sketch", 2.0, name, draw(st.floats(0.01, 20.0)))
    vms.fleet.drain(draw(st.sampled_from([frozenset(), frozenset({"vm0"})])), 100.0)
    return vms
