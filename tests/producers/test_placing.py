"""One job is placed, and the books say so. What the router does with it is told in `test_dispatcher`."""

from typing import Any

from bus.events import BridgeStatus, Heartbeat
from bus.messages import Job
from producers.admission import Config
from producers.ahead import LookAhead
from producers.cloud import Cloud
from producers.commands import Forward, Held, Moment
from producers.estimates import Estimates
from producers.placed import Placed
from producers.placement import Rules, Wish
from producers.placing import SLOT_PATIENCE_S, Books, Placer
from producers.waits import Waits
from producers.work import Work
from telemetry.fleet import Fleet

NOBODY: frozenset[str] = frozenset()


def beat(seq: int = 1, holds: frozenset[str] = frozenset()) -> Heartbeat:
    return Heartbeat(
        vm="vm1",
        session="s",
        started_ms=1,
        seq=seq,
        at_ms=1,
        cpu_percent=1,
        ram_percent=1,
        cores=4,
        slots=4,
        held=tuple(holds),
        operations=("sketch",),
        worker="ready",
    )


def books() -> Books:
    fleet, work, estimates = Fleet(), Work(), Estimates()
    fleet.heard(beat(), 100.0)
    ahead = LookAhead(fleet, work, None)
    return Books(fleet, estimates, work, Placed("r"), Waits(estimates), Cloud(), ahead)


def held(slots: int = 1, operation: str = "sketch") -> Held:
    job = Job(id="j1", operation=operation, body=b"image", reply_to="r", attempt=1)
    return Held(1, "lane.00", job, Wish(operation, slots=slots), 0.5, 100.0)


def test_a_placed_job_stands_in_every_book() -> None:
    kept = books()
    placer = Placer(Config(), kept)
    command = placer.place(held(slots=3), NOBODY, 0.0, Moment(100.0, 1))
    assert isinstance(command, Forward)
    assert (command.key, placer.routed) == ("vm.vm1", 1)
    assert kept.fleet.views(100.0)["vm1"].held_slots == kept.work.held_slots("vm1") == 3
    assert kept.placed.home(command.held.job, redelivered=False) == "vm1"


def test_a_job_of_several_slots_makes_do_with_fewer_after_a_while() -> None:
    kept = books()
    placer = Placer(Config(), kept)
    assert placer.place(held(slots=2), NOBODY, 0.0, Moment(100.0, 1)) is not None
    assert placer.place(held(slots=1), NOBODY, 0.0, Moment(100.0, 1)) is not None
    assert placer.place(held(slots=2), NOBODY, 0.0, Moment(100.0, 1)) is None
    assert placer.waiting == {"sketch": "every slot is taken"}
    later = 100.0 + SLOT_PATIENCE_S
    for seq in (2, 3, 4):
        kept.fleet.heard(beat(seq, kept.fleet.views(100.0)["vm1"].held), later - (4 - seq))
    assert kept.fleet.views(later)["vm1"].room == 1
    assert placer.place(held(slots=2), NOBODY, 0.0, Moment(later, 1)) is not None


def test_only_the_predictive_policy_looks_at_the_line_behind() -> None:
    for policy, limits in (("threshold", set()), ("predictive", {"behind_s"})):
        command = Placer(Config(rules=Rules(policy)), books()).place(held(), NOBODY, 8.0, Moment(100.0, 1))
        assert isinstance(command, Forward)
        assert command.event is not None
        assert {"behind_s"} & command.event.limits.keys() == limits


def overflowing(**told: Any) -> tuple[Placer, Books]:
    """A placer whose one VM serves sketches alone, and a bridge that has told of itself."""
    kept = books()
    kept.cloud.consumers(1, 100.0)
    given: dict[str, Any] = {"bridge": "b", "state": "ready", "at_ms": 1} | told
    kept.cloud.heard(BridgeStatus(**given), 100.0)
    return Placer(Config(), kept), kept


def test_a_job_that_overflows_has_a_placement_and_is_on_the_clouds_books() -> None:
    placer, kept = overflowing()
    command = placer.place(held(operation="caption"), NOBODY, 0.0, Moment(100.0, 1))
    assert isinstance(command, Forward)
    assert (command.key, placer.routed, len(kept.work)) == ("cloud", 1, 0)
    job, event = command.held.job, command.event
    assert job.placement
    assert event is not None
    assert (event.route, event.vm, event.placement) == ("cloud", None, job.placement)
    assert kept.cloud.came_home(job.place) == 0.5  # what it was charged


def test_what_only_the_cloud_serves_waits_for_it_rather_than_step_aside() -> None:
    placer, _ = overflowing(state="full", reason="3 of 3 jobs", operations=("caption",))
    assert placer.place(held(operation="caption"), NOBODY, 0.0, Moment(100.0, 1)) is None
    assert placer.waiting["caption"].endswith("not offered); the cloud: full: 3 of 3 jobs")
    local, other = held(operation="caption"), held(operation="remove-background")
    local = local._replace(wish=local.wish._replace(local=True))
    for stays in (local, other):
        command = placer.place(stays, NOBODY, 0.0, Moment(100.0, 1))
        assert isinstance(command, Forward)
        assert command.key == f"parked.{stays.job.operation}"


def test_what_came_home_from_the_cloud_is_not_sent_back_at_once() -> None:
    placer, _ = overflowing()
    home = held(operation="caption")
    job = home.job.failed(at_ms=1, vm="cloud", reason="no captions here")
    home = home._replace(job=job, stays_s=3.0)
    assert placer.place(home, NOBODY, 0.0, Moment(102.9, 1)) is None
    assert placer.waiting["caption"].endswith("the cloud: it came home from the cloud: no captions here")
    assert placer.place(home, NOBODY, 0.0, Moment(103.0, 1)) is not None


def test_what_is_paused_or_not_served_steps_aside() -> None:
    placer = Placer(Config(), books())
    for operation, paused in (("sketch", frozenset({"sketch"})), ("caption", NOBODY)):
        command = placer.place(held(operation=operation), paused, 0.0, Moment(100.0, 1))
        assert isinstance(command, Forward)
        assert (command.key, command.held.job.attempt) == (f"parked.{operation}", 0)
    assert placer.parked.keys() == {"sketch", "caption"}
