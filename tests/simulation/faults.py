"""Mishaps drawn at random."""

from collections.abc import Sequence
from random import Random

from producers.simulation.faults import KINDS, Fault


def stragglers(vms: Sequence[str], *, until_s: float, seed: int) -> tuple[Fault, ...]:
    """A fifth of the VMs turns slow, each at a time of its own, for 20 s."""
    random = Random(seed)
    slow = random.sample(list(vms), max(1, len(vms) // 5))
    return tuple(Fault("slow", vm, random.uniform(0.1, 0.8) * until_s, 20.0) for vm in slow)


def some_faults(vms: Sequence[str], count: int, *, until_s: float, seed: int) -> tuple[Fault, ...]:
    """`count` faults at random, never two at a time on one VM, and never any on the first VM: someone must work."""
    random = Random(seed)
    free_from = dict.fromkeys(vms[1:], 0.0)
    faults = []
    for _ in range(count if free_from else 0):
        vm = random.choice(list(free_from))
        at = free_from[vm] + random.uniform(1, until_s)
        lasts = random.uniform(2, 25)
        free_from[vm] = at + lasts + 1
        faults.append(Fault(random.choice(KINDS), vm, at, lasts))
    return tuple(sorted(faults, key=lambda fault: fault.at_s))
