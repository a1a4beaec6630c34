"""Who is heard, and who has fallen silent. Pure: `now` is the listener's monotonic clock, seconds."""

from collections import OrderedDict
from math import inf

from telemetry.vm_view import Vm

_ROUNDING_S = 1e-6
TAKEN_HOME_S = 600.0
"""How long a lost VM that holds jobs can't be spared. A router takes them home within seconds; but beats may claim any,
and such claims are not to keep out other VMs for longer."""


class Attendance:
    """The VMs that are heard, and those that are lost.

    While the listener itself is deaf nobody falls silent, nor until a while after it hears again.
    """

    def __init__(self, lost_after_s: float) -> None:
        """A VM is silent when it was not heard for longer than `lost_after_s`."""
        self._lost_after_s = lost_after_s
        self._present: OrderedDict[str, Vm] = OrderedDict()  # the longest unheard first
        self._lost: OrderedDict[str, Vm] = OrderedDict()  # the longest lost first
        self._empty: OrderedDict[str, Vm] = OrderedDict()  # those of them that hold no job
        self._hears_from = -inf  # when it was last deaf until
        self._nobody_silent_until = -inf

    def deaf(self) -> None:
        """Beats can't be heard from here on."""
        self._hears_from = inf

    def hears(self, now: float) -> None:
        """They can again, if they could not."""
        if now < self._hears_from:
            self._hears_from, self._nobody_silent_until = now, -inf

    def heard(self, vm: Vm, now: float) -> None:
        """A VM was heard, for the first time perhaps, or after it was lost."""
        name = vm.beat.vm
        vm.heard_at, vm.lost = now, None
        self._lost.pop(name, None)
        self._empty.pop(name, None)
        self._present[name] = vm
        self._present.move_to_end(name)

    def is_silent(self, vm: Vm, now: float) -> bool:
        """Whether a VM was not heard for so long that it counts as lost."""
        return now - max(vm.heard_at, self._hears_from) > self._lost_after_s

    def silent(self, now: float) -> Vm | None:
        """The one that has fallen silent first, which is to be given to `lose`; None where nobody has."""
        # Asked before most decisions: nobody is looked at again before somebody can have fallen silent.
        if now <= self._nobody_silent_until or not self._present:
            return None
        longest = next(iter(self._present.values()))
        if self.is_silent(longest, now):
            return longest
        self._nobody_silent_until = max(longest.heard_at, self._hears_from) + self._lost_after_s - _ROUNDING_S
        return None

    def is_present(self, name: str) -> bool:
        """Whether a VM of this name is known, and not lost."""
        return name in self._present

    def lose(self, vm: Vm, why: str) -> None:
        """A VM is lost until it is heard again."""
        name = vm.beat.vm
        self._lost[name] = self._present.pop(name)
        vm.lost = why

    def emptied(self, vm: Vm) -> None:
        """A lost VM holds no job, or none any more."""
        self._empty[vm.beat.vm] = vm

    def spare(self, now: float) -> Vm | None:
        """The lost VM to forget when more are heard than can be known; None where each may be missed.

        Whoever makes up names must not have one forgotten before its jobs are taken home: nobody would look for them.
        """
        if self._empty:
            return next(iter(self._empty.values()))
        longest = self.longest_lost()
        return longest if longest is not None and now - longest.heard_at > TAKEN_HOME_S else None

    def longest_lost(self) -> Vm | None:
        """The VM that is lost for longest; None where none is."""
        return next(iter(self._lost.values()), None)

    def forget(self, name: str) -> None:
        """A lost VM is not known any more."""
        del self._lost[name]
        self._empty.pop(name, None)
