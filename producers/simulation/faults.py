"""What goes wrong on a VM, and when. Data only."""

from dataclasses import dataclass
from typing import Literal

Kind = Literal["crash", "freeze", "slow", "black-hole", "drain"]
KINDS: tuple[Kind, ...] = ("crash", "freeze", "slow", "black-hole", "drain")


@dataclass(frozen=True, slots=True)
class Fault:
    """At `at_s`, for `for_s` seconds.

    crash: the VM is gone and comes back as a new session; freeze: it stands still and its connections are given up
    after some seconds; slow: it computes at a fifth of its pace; black-hole: every job fails at once; drain: it hands
    back what it has not begun, and takes no more.
    """

    kind: Kind
    vm: str
    at_s: float
    for_s: float
