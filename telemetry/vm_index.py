"""Who serves what, and who has room: kept as views change, so that asking costs nothing per VM. Pure."""

from collections import OrderedDict
from collections.abc import Collection
from dataclasses import dataclass, field
from itertools import islice

from telemetry.vm_view import TAKES_JOBS, VmView


@dataclass(slots=True)
class _Offer:
    """The VMs that take jobs of one operation."""

    serving: dict[str, VmView] = field(default_factory=dict)
    # Ordered for its sake: from the front of a plain dict one walks over all that was popped there before.
    open: OrderedDict[str, VmView] = field(default_factory=OrderedDict)


class VmIndex:
    """The VMs by what may be asked of them. Each change of a view must pass through `changed`."""

    def __init__(self) -> None:
        self._offers: dict[str, _Offer] = {}
        self._taking_since: dict[str, float] = {}  # the longest first
        self.stranded: frozenset[str] = frozenset()
        """VMs that take no jobs, so that what lies in their queues must go elsewhere."""
        self.served: frozenset[str] = frozenset()
        """Operations that at least one VM that takes jobs serves."""
        self.slots = 0
        """Slots of the VMs that take jobs."""

    def open(self, operation: str) -> Collection[VmView]:
        """VMs with room that serve it, the least recently changed first."""
        offer = self._offers.get(operation)
        return offer.open.values() if offer else ()

    def serving(self, operation: str) -> Collection[VmView]:
        """VMs that take jobs and serve it, with room or without."""
        offer = self._offers.get(operation)
        return offer.serving.values() if offer else ()

    def taken_since(self, before: float, *, but: str) -> bool:
        """Whether any VM but one has taken jobs without a break since before a time (seconds, the listener's)."""
        return any(since < before for name, since in islice(self._taking_since.items(), 2) if name != but)

    def changed(self, old: VmView | None, new: VmView | None) -> None:
        """A VM's view is another now. `old` is None for a VM that joins, `new` for one that is forgotten."""
        before = old if old is not None and old.state in TAKES_JOBS else None
        after = new if new is not None and new.state in TAKES_JOBS else None
        if before is not None:
            self._leave(before, after)
        if after is not None:
            self._enter(before, after)
        was_stranded, is_stranded = before is not old, after is not new
        if old is not None and was_stranded and not is_stranded:
            self.stranded -= {old.name}
        elif new is not None and is_stranded and not was_stranded:
            self.stranded |= {new.name}

    def _enter(self, before: VmView | None, after: VmView) -> None:
        self.slots += after.slots
        if before is None:
            self._taking_since[after.name] = after.heard_at
        name, has_room = after.name, after.capacity > after.held_slots
        for operation in after.operations:
            offer = self._offers.get(operation) or self._offered(operation)
            offer.serving[name] = after
            if has_room:
                offer.open[name] = after
                offer.open.move_to_end(name)
            else:
                offer.open.pop(name, None)

    def _leave(self, before: VmView, after: VmView | None) -> None:
        self.slots -= before.slots
        if after is None:
            del self._taking_since[before.name]
        if after is not None and after.operations == before.operations:
            return
        for operation in before.operations:
            self._withdraw(before.name, operation)

    def _offered(self, operation: str) -> _Offer:
        offer = self._offers[operation] = _Offer()
        self.served |= {operation}
        return offer

    def _withdraw(self, name: str, operation: str) -> None:
        offer = self._offers.get(operation)
        if offer is None:  # the beat named the operation twice
            return
        offer.serving.pop(name, None)
        offer.open.pop(name, None)
        if not offer.serving:
            del self._offers[operation]
            self.served -= {operation}
