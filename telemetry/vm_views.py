"""The views of all VMs, each made anew when it is asked for: a VM changes several times with each job. Pure."""

from collections.abc import Mapping
from types import MappingProxyType

from telemetry.vm_index import VmIndex
from telemetry.vm_view import TAKES_JOBS, Vm, VmView


class VmViews:
    """Views by name, and the index of what they say, in which is found what changed before the latest `all`."""

    def __init__(self, index: VmIndex) -> None:
        self._index = index
        self._made: dict[str, VmView] = {}
        self._seen = MappingProxyType(self._made)
        self._stale: dict[str, Vm] = {}  # the one that changed last is the last

    def all(self) -> Mapping[str, VmView]:
        """Every VM as it is now: a live, read-only mapping."""
        if self._stale:
            self._make()
        return self._seen

    def changed(self, vm: Vm) -> None:
        """What a VM holds, or may hold, is another."""
        name = vm.beat.vm
        self._stale.pop(name, None)
        self._stale[name] = vm

    def settled(self, vm: Vm) -> None:
        """A VM was settled anew. What the index tells of all VMs together is as of now, if this one changes it."""
        self.changed(vm)
        view = self._made.get(vm.beat.vm)
        if view is None or (vm.out is None) != (view.state in TAKES_JOBS) or _offers_other(view, vm):
            self.all()

    def _make(self) -> None:
        for name, vm in self._stale.items():
            old = self._made.get(name)
            view = self._made[name] = vm.view()
            self._index.changed(old, view)
        self._stale.clear()

    def forget(self, name: str) -> None:
        """A VM is not known any more."""
        self.all()
        self._index.changed(self._made.pop(name), None)


def _offers_other(view: VmView, vm: Vm) -> bool:
    return view.slots != vm.beat.slots or view.operations != vm.beat.operations
