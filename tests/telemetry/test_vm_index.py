"""The index: views that change in, and who may be asked out."""

from hypothesis import given
from hypothesis import strategies as st

from telemetry.vm_index import VmIndex
from telemetry.vm_view import State, VmView


def view(name: str, state: State = "ready", *, room: int = 1, operations: tuple[str, ...] = ("sketch",)) -> VmView:
    return VmView(
        name=name,
        session="s",
        state=state,
        worker="ready",
        cpu_percent=10.0,
        load=10.0,
        ram_percent=50.0,
        cores=2.0,
        slots=2,
        look_ahead=1,
        capacity=room,
        held=frozenset(),
        held_slots=0,
        sent_since_beat=0,
        operations=operations,
        not_served={},
        oldest_running_s=None,
        heard_at=5.0,
    )


def an_index(*views: VmView) -> VmIndex:
    index = VmIndex()
    for each in views:
        index.changed(None, each)
    return index


def open_names(index: VmIndex, operation: str = "sketch") -> list[str]:
    return [each.name for each in index.open(operation)]


def told(index: VmIndex) -> tuple[int, set[str], set[str]]:
    return index.slots, set(index.served), set(index.stranded)


def test_the_least_recently_changed_is_offered_first() -> None:
    index = an_index(view("vm1"), view("vm2"), view("vm3"))
    index.changed(view("vm1"), view("vm1"))
    assert open_names(index) == ["vm2", "vm3", "vm1"]

    index.changed(view("vm2"), view("vm2", room=0))
    assert open_names(index) == ["vm3", "vm1"]
    assert [each.name for each in index.serving("sketch")] == ["vm1", "vm2", "vm3"]

    index.changed(view("vm2", room=0), view("vm2"))
    assert open_names(index) == ["vm3", "vm1", "vm2"]


def test_what_is_offered_is_the_latest_view() -> None:
    index = an_index(view("vm1"))
    latest = view("vm1", "busy")
    index.changed(view("vm1"), latest)

    assert [*index.open("sketch"), *index.serving("sketch")] == [latest, latest]


def test_a_vm_that_stops_taking_jobs_is_stranded_until_it_is_back() -> None:
    index = an_index(view("vm1"), view("vm2", operations=("caption",)))
    assert told(index) == (4, {"sketch", "caption"}, set())

    index.changed(view("vm1"), view("vm1", "quarantined"))
    assert told(index) == (2, {"caption"}, {"vm1"})
    assert (list(index.open("sketch")), list(index.serving("sketch"))) == ([], [])

    index.changed(view("vm1", "quarantined"), view("vm1"))
    assert told(index) == (4, {"sketch", "caption"}, set())


def test_a_vm_that_is_forgotten_leaves_nothing() -> None:
    index = an_index(view("vm1"), view("vm2", "lost"))
    index.changed(view("vm1"), None)
    index.changed(view("vm2", "lost"), None)

    assert told(index) == (0, set(), set())


def test_operations_come_and_go_while_a_vm_takes_jobs() -> None:
    index = an_index(view("vm1"))
    index.changed(view("vm1"), view("vm1", operations=("caption", "caption")))
    assert told(index) == (2, {"caption"}, set())
    assert (open_names(index), open_names(index, "caption")) == ([], ["vm1"])

    index.changed(view("vm1", operations=("caption", "caption")), view("vm1", operations=()))
    assert told(index) == (2, set(), set())


def test_who_has_taken_jobs_since_when() -> None:
    index = an_index(view("vm1"), view("vm2", "joined"))
    assert index.taken_since(5.1, but="vm2")
    assert not index.taken_since(5.0, but="vm2")
    assert not index.taken_since(5.1, but="vm1")

    index.changed(view("vm2", "joined"), view("vm2"))
    assert index.taken_since(5.1, but="vm1")

    index.changed(view("vm1"), view("vm1", "lost"))
    assert not index.taken_since(5.1, but="vm2")


VMS = st.sampled_from(["vm1", "vm2", "vm3"])


@given(st.lists(st.tuples(VMS, st.integers(0, 1)), max_size=20))
def test_the_order_is_that_of_the_changes(changes: list[tuple[str, int]]) -> None:
    index, known, order = VmIndex(), dict[str, VmView](), list[str]()
    for name, room in changes:
        new = view(name, room=room)
        index.changed(known.get(name), new)
        known[name] = new
        order = [each for each in order if each != name] + [name] * room
        assert open_names(index) == order
