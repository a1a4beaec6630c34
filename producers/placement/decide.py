"""Which machine takes a job: a wish and what is known of the VMs in, one choice with its reasons out. Pure."""

from collections.abc import Iterable, Sequence
from itertools import islice

from bus.events import CloudSeen
from producers.placement.choices import (
    FULL,
    SHOWN,
    Asked,
    Choice,
    Decision,
    Inputs,
    Overflow,
    Park,
    Rules,
    ToVm,
    Wait,
    Wish,
)
from producers.placement.policies import POLICIES, Policy
from producers.placement.receipts import candidate, limits
from producers.placement.scene import Known, Scene
from telemetry.vm_view import VmView

AT_HOME = CloudSeen(open=False, why="the job is local")
_FULL = Wait(FULL)


def place(wish: Wish, known: Known, rules: Rules, cloud: CloudSeen, now: float) -> Choice:
    """Choose for one job. `cloud` is as this job sees it; `now` is the fleet's clock, seconds.

    The VM to avoid takes the job only where no other has room and the cloud does not take it; an operation that no VM
    serves, the cloud alone. Raises KeyError for a policy that there is not.
    """
    fleet, policy = known.fleet, POLICIES[rules.policy]
    views = fleet.views(now)  # asked first: VMs that have fallen silent are lost by it
    if wish.local and cloud.open:
        cloud = AT_HOME
    unserved = None if wish.operation in fleet.served else _unserved(wish.operation, views.values())
    if unserved is not None and not cloud.open:
        return unserved
    if not cloud.open and not fleet.open(wish.operation):
        return _FULL
    behind_s = round(wish.behind_s / max(1, fleet.slots), 3) if wish.behind_s else 0.0
    typical = known.estimates.typical(wish.operation, wish.megapixels)
    enough_s = round(known.estimates.enough_s(typical.p50), 3) if "enough_s" in policy.reads else 0.0
    scene = Scene(wish, Asked(wish.slots, rules, cloud, behind_s, enough_s), known, now, typical)
    decision = policy.choose(scene.asked, policy.look(scene))
    if unserved is not None:
        decision = decision._replace(reason=unserved.reason)
    if decision.route is None and wish.avoid and not any(scene.open()):
        return place(wish._replace(avoid=None), known, rules, cloud, now)
    return _choice(scene, policy, decision)


def _choice(scene: Scene, policy: Policy, decision: Decision) -> Choice:
    asked = scene.asked
    if not scene.known.receipts:
        return _bare(asked, decision)
    # A policy that doesn't ask when the job would end leaves it to be told of those that are shown.
    shown = [offer if offer.late_s else scene.foreseen(offer) for offer in decision.shown]
    candidates = tuple(candidate(offer, asked, policy) for offer in shown)
    inputs = Inputs(policy=asked.rules.policy, limits=limits(asked, policy), cloud=asked.cloud)
    if decision.route == "vm":
        return ToVm(shown[0].vm, decision.reason, candidates, inputs, shown[0].needed(asked.slots))
    if decision.route == "cloud":
        return Overflow(decision.reason, candidates, inputs)
    return Wait(decision.reason, candidates, inputs)


def _bare(asked: Asked, decision: Decision) -> Choice:
    """The same choice, without what it rested on."""
    if decision.route == "vm":
        first = decision.shown[0]
        return ToVm(first.vm, decision.reason, slots=first.needed(asked.slots))
    if decision.route == "cloud":
        return Overflow(decision.reason, (), Inputs(cloud=asked.cloud))
    return Wait(decision.reason)


def _unserved(operation: str, views: Iterable[VmView]) -> Wait | Park:
    alive = list(islice((view for view in views if view.takes_jobs), SHOWN + 1))
    if alive:
        return Park(f"no VM serves {operation} ({_why_not(operation, alive)})")
    lost = list(islice(views, SHOWN + 1))
    return Wait(f"no VM is alive ({_listed(f'{view.name} is {view.state}' for view in lost) or 'none was ever heard'})")


def _why_not(operation: str, views: Sequence[VmView]) -> str:
    """Each reason once, with the VMs that give it."""
    names: dict[str, list[str]] = {}
    for view in views[:SHOWN]:
        names.setdefault(view.not_served.get(operation, "not offered"), []).append(view.name)
    told = [f"{', '.join(vms)}: {why}" for why, vms in names.items()]
    return "; ".join([*told, "and others"] if len(views) > SHOWN else told)


def _listed(whys: Iterable[str]) -> str:
    told = list(whys)
    return "; ".join([*told[:SHOWN], "and others"] if len(told) > SHOWN else told)
