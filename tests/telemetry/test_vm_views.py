"""Views that are made when they are asked for are those that were made at once."""

from collections import deque

from hypothesis import given
from hypothesis import strategies as st

from telemetry.health import Progress
from telemetry.ledger import Ledger
from telemetry.vm_index import VmIndex
from telemetry.vm_view import Vm
from telemetry.vm_views import VmViews
from tests.telemetry.beats import beat

NAMES = ("vm1", "vm2", "vm3")


def vm(name: str) -> Vm:
    first = beat(1, vm=name)
    known = Vm(first, 0.0, 0.0, ledger=Ledger(2, 2.0), readings=deque([10.0], maxlen=5), progress=Progress(0, 0.0))
    known.capacity = 3
    known.settle()
    return known


class Fleet:
    """Three VMs, and their views."""

    def __init__(self) -> None:
        self.index = VmIndex()
        self.views = VmViews(self.index)
        self.vms = {name: vm(name) for name in NAMES}
        for each in self.vms.values():
            self.views.settled(each)

    def told(self) -> tuple[object, ...]:
        """What is asked of the fleet without a look at the views."""
        return self.index.stranded, self.index.served, self.index.slots

    def open(self) -> list[str]:
        self.views.all()
        return [view.name for view in self.index.open("sketch")]

    def serving(self) -> list[str]:
        self.views.all()
        return [view.name for view in self.index.serving("sketch")]

    def do(self, name: str, what: str) -> None:
        known = self.vms[name]
        if what == "sent":
            known.ledger.sent(f"job {len(known.ledger.held)}", 0.0)
            self.views.changed(known)
        elif what == "finished":
            for job in sorted(known.ledger.held)[:1]:
                known.ledger.finished(job)
            self.views.changed(known)
        else:
            known.lost = "silent" if what == "lost" else None
            known.beat = beat(1, vm=name, operations=("caption",) if what == "captions" else ("sketch",))
            known.settle()
            self.views.settled(known)


def test_what_changed_is_seen_when_it_is_asked_for() -> None:
    fleet = Fleet()
    seen = fleet.views.all()
    fleet.do("vm1", "sent")
    assert seen["vm1"].held_slots == 0
    assert fleet.views.all()["vm1"].held_slots == 1
    assert seen["vm1"].held_slots == 1  # the mapping is a live one


def test_the_one_that_changed_last_is_the_last_to_be_offered() -> None:
    fleet = Fleet()
    for name in ("vm1", "vm2", "vm1"):
        fleet.do(name, "sent")
    assert fleet.open() == ["vm3", "vm2", "vm1"]


def test_who_is_out_of_use_and_what_is_served_is_known_at_once() -> None:
    fleet = Fleet()
    fleet.do("vm1", "lost")
    fleet.do("vm2", "captions")
    assert fleet.told() == ({"vm1"}, {"sketch", "caption"}, 4)


def test_who_is_forgotten_is_seen_no_more() -> None:
    fleet = Fleet()
    fleet.do("vm1", "sent")
    fleet.views.forget("vm1")
    assert set(fleet.views.all()) == {"vm2", "vm3"}
    assert fleet.told() == (frozenset(), {"sketch"}, 4)


steps = st.lists(
    st.tuples(st.sampled_from(NAMES), st.sampled_from(["sent", "finished", "lost", "back", "captions"])), max_size=40
)


@given(steps)
def test_to_look_late_shows_the_same_as_to_look_each_time(script: list[tuple[str, str]]) -> None:
    late, at_once = Fleet(), Fleet()
    for name, what in script:
        late.do(name, what)
        at_once.do(name, what)
        at_once.views.all()
        assert late.told() == at_once.told()
    assert (late.open(), late.serving()) == (at_once.open(), at_once.serving())
    assert late.views.all() == at_once.views.all()
