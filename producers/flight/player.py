"""A recorded day played again, through the very code that routes. Pure, but for the time it takes.

What each job would take on another VM, or in the cloud, is modelled from what was recorded of its like; everything that
is decided is decided anew.
"""

from collections.abc import Callable
from typing import Final

from producers.admission import LEAD_S, Config
from producers.cloud import Terms
from producers.flight.arrivals import as_sent
from producers.flight.known import Known, NotPlayable, fleet_of, known, rule, slots_s
from producers.flight.outcomes import Day, counts, played, recorded
from producers.flight.recording import Recording
from producers.flight.scenario import cloud, tasks, vms
from producers.flight.what_if import WhatIf
from producers.placement import Rules
from producers.placement.policies import POLICIES
from producers.simulation.clouds import CloudSpec
from producers.simulation.faults import Fault
from producers.simulation.minds import mind
from producers.simulation.scenario import Scenario
from producers.simulation.world import World

DEFAULT: Final = Rules()
Watch = Callable[[float], object]
STEPS: Final = 200
"""How often `watch` is called in a day."""
WINDOW: Final = 128
"""Jobs of a lane that the router holds at the most, as its look-ahead grows."""


def as_recorded(recording: Recording) -> Day:
    """The day as it was. Raises NotPlayable when there are no jobs in it."""
    return recorded(as_sent(recording), slots_s(fleet_of(recording), _span_s(recording)))


def play(recording: Recording, what_if: WhatIf, watch: Watch = lambda _share: None) -> Day:
    """The day as it would have been. The same recording and the same question give the same day.

    `watch` is called now and then with how much of the day is over, 0 to 1. Raises NotPlayable when the recording, or
    what is asked of it, leaves nothing to be played.
    """
    check(recording, what_if)
    recording = as_sent(recording)
    found = known(recording)
    spec = cloud(found, what_if)
    config = configured(recording, what_if, spec)
    sent, numbers = tasks(found)
    put = Scenario(
        tasks=sent,
        vms=(fleet := vms(found, what_if)),
        faults=_faults(found, what_if),
        cloud=spec,
        window=WINDOW,
        epoch_ms=recording.header.from_ms,
        gives_up=True,
    )
    span_s = _span_s(recording)
    world = World(put, mind(config, receipts=False))
    for step in range(1, STEPS + 1):
        world.engine.at(span_s * step / STEPS, watch, step / STEPS)
    log = world.run()
    compared = [number for number, job in enumerate(recording.jobs) if counts(job)]
    added_s = sum(vm.slots * span_s for vm in fleet[len(fleet) - what_if.add_vms :])
    kept_s = slots_s(tuple(each for each in found.fleet if each[0].vm not in what_if.remove_vms), span_s)
    return played(log, sent, numbers, compared, Day((), 0, 0, kept_s + added_s, span_s))


def check(recording: Recording, what_if: WhatIf) -> None:
    """Raise NotPlayable at once where the recording knows of nobody who does jobs: each would wait the whole day."""
    has_cloud = any(each.state for each in recording.clouds) if what_if.cloud is None else what_if.cloud
    if not has_cloud and not any(vm.slots for vm in recording.vms):
        raise NotPlayable(
            "No VM and no cloud was recorded, so nobody is there to do the jobs. VMs are known by their heartbeats: "
            "record some time in which they run."
        )


def _span_s(recording: Recording) -> float:
    return (recording.header.to_ms - recording.header.from_ms) / 1000


def configured(recording: Recording, what_if: WhatIf, spec: CloudSpec | None) -> Config:
    """The router's settings: the rule as recorded, what is asked for, and the product's own for what nobody told."""
    terms = Terms() if spec is None else Terms(prices=spec.prices, money_per_day=spec.money_per_day)
    return Config(rules=rules(recording, what_if), lead_s=LEAD_S, user_weights=what_if.user_weights, cloud=terms)


def rules(recording: Recording, what_if: WhatIf) -> Rules:
    """The rule to play under. Raises NotPlayable for a policy that there is not."""
    told = rule(recording)
    base = DEFAULT if told is None else Rules(told.policy, *_thresholds(told.limits))
    chosen = Rules(
        policy=base.policy if what_if.policy is None else what_if.policy,
        cpu_threshold=base.cpu_threshold if what_if.cpu_threshold is None else what_if.cpu_threshold,
        ram_threshold=base.ram_threshold if what_if.ram_threshold is None else what_if.ram_threshold,
    )
    if chosen.policy not in POLICIES:
        raise NotPlayable(f"There is no policy {chosen.policy!r}; there are {', '.join(POLICIES)}.")
    return chosen


def _thresholds(limits: dict[str, float]) -> tuple[float, float]:
    return limits.get("cpu", DEFAULT.cpu_threshold), limits.get("ram", DEFAULT.ram_threshold)


def _faults(found: Known, what_if: WhatIf) -> tuple[Fault, ...]:
    return tuple(
        sorted(
            (fault for vm, there in found.fleet if vm.vm not in what_if.remove_vms for fault in there.away),
            key=lambda fault: (fault.at_s, fault.vm),
        )
    )
