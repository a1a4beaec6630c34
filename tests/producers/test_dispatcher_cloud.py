"""Transcripts of the overflow: what bridges say and do, and where jobs go for it."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bus.events import BridgeStatus, JobEvent
from producers.cancels import Asked
from producers.cloud import Terms
from producers.commands import Arrival, Collect, Command, Forward, Settle
from producers.placement import Rules
from producers.placement.policies import POLICIES
from tests.producers.desk import Desk, at, forwards, line_up, the, where


def bridge(desk: Desk, state: Any = "ready", *, consumers: int = 1, **told: Any) -> list[Command]:
    """One bridge consumes `overflow`, and tells of itself."""
    status = BridgeStatus(bridge="b", state=state, at_ms=1, **told)
    commands = desk.dispatcher.heard(status, at(desk.now))
    return [*commands, *desk.dispatcher.bridges(consumers, at(desk.now))]


def busy(**config: Any) -> Desk:
    """A VM over the threshold, and an open cloud."""
    desk = Desk("vm1", cpu_percent=90.0, config=config)
    bridge(desk)
    return desk


def from_cloud(desk: Desk, forward: Forward, state: Any = "done", **told: Any) -> list[Command]:
    """The bridge says what became of a job that went to the cloud."""
    return desk.told(forward, state, **({"route": "cloud", "vm": "rev-1"} | told))


def handed_home(desk: Desk, forward: Forward, reason: str = "the cloud does not serve it") -> list[Command]:
    """The bridge gives a job back that the cloud did not take: this was no attempt."""
    now_ms = int(desk.now * 1000)
    job = forward.held.job
    home = job.failed(at_ms=now_ms, vm="cloud", reason=reason).model_copy(update={"attempt": job.attempt - 1})
    told = from_cloud(desk, forward, "retried", vm=None, reason=reason)
    desk.tickets += 1
    arrival = Arrival(desk.tickets, "lane.00", is_new=False)
    return [*told, *desk.dispatcher.arrived(arrival, home.to_message("sketch", now_ms), at(desk.now))]


def test_a_job_that_overflows_has_a_placement_of_its_own() -> None:
    first, second = (the(busy().job(message_id="1", headers={"user": user})) for user in ("anna", "ben"))
    places = [first.held.job.placement, second.held.job.placement]
    assert all(places)
    assert len(set(places)) == 2
    assert first.event is not None
    assert first.event.placement == places[0]


def test_a_job_that_ended_in_the_cloud_has_ended() -> None:
    for state in ("done", "failed", "unanswerable"):
        desk = busy()
        first = the(desk.job(message_id="mine"))
        assert desk.dispatcher.cancel(Asked("anonymous", "mine", 7, 100_000), at(100))[0] == []
        assert from_cloud(desk, first, "sent") == []
        assert Settle(7) in from_cloud(desk, first, state)
        assert desk.dispatcher.cancel(Asked("anonymous", "mine", 8, 100_000), at(100)) == ([], "it has ended already")


def test_what_a_bridge_tells_of_jobs_is_no_vms_doing() -> None:
    desk = Desk("vm1", "vm2", slots=9, look_ahead=9)
    bridge(desk)
    for number in range(20):
        event = JobEvent(
            state="failed", job=f"c{number}", operation="sketch", at_ms=1, vm="vm1", route="cloud", problem="timed-out"
        )
        assert desk.dispatcher.heard(event, at(desk.now)) == []
    keys = {key for _ in range(8) for _, key in where(desk.job(headers={"site": "local"}))}
    assert keys == {"vm.vm1", "vm.vm2"}
    assert not desk.dispatcher.knows("rev-1")
    assert desk.status().quarantined == {}


def test_a_job_handed_home_goes_to_a_vm_though_it_is_loaded() -> None:
    desk = busy()
    again = the(handed_home(desk, the(desk.job())))
    assert (again.key, again.held.job.attempt) == ("vm.vm1", 1)
    assert [told.vm for told in again.held.job.history] == ["cloud"]
    assert where(desk.job()) == [("j3", "cloud")]  # others still overflow


def test_with_no_vm_to_take_it_it_may_go_to_the_cloud_again_after_a_while() -> None:
    desk = Desk()
    bridge(desk)
    first = the(desk.job())
    assert forwards(handed_home(desk, first)) == []
    desk.now += 4.9
    assert forwards(bridge(desk)) == []
    desk.now += 0.2
    second = the(bridge(desk))
    assert second.key == "cloud"
    handed_home(desk, second)
    desk.now += 9.9
    assert forwards(bridge(desk)) == []  # for twice as long, this time
    desk.now += 0.2
    assert the(bridge(desk)).key == "cloud"


def test_a_user_with_many_jobs_leaves_room_in_the_cloud_to_others() -> None:
    desk = Desk()
    for number in range(20):
        line_up(desk, headers={"user": "anna"}, message_id=f"a{number}")
    for number in range(3):
        line_up(desk, headers={"user": "ben"}, message_id=f"b{number}")
    assert [job for job, _ in where(bridge(desk, capacity=4))] == ["a0", "b0", "a1", "b1"]


def test_a_users_weight_counts_in_the_cloud_too() -> None:
    """What overflows is charged by its prediction, and not by what it took there."""
    desk = Desk(config={"user_weights": {"anna": 2.0}})
    for number in range(12):
        line_up(desk, headers={"user": "anna"}, message_id=f"a{number}")
        line_up(desk, headers={"user": "ben"}, message_id=f"b{number}")
    sent: list[str] = []
    while len(sent) < 12:
        for forward in forwards(bridge(desk, capacity=2)):
            sent.append(forward.held.job.id[0])
            from_cloud(desk, forward, ran_ms=60_000)
        desk.now += 1
    assert (sent.count("a"), sent.count("b")) == (8, 4)


def test_what_comes_home_unrun_costs_its_user_no_share() -> None:
    """Anna's jobs all come home, and ben's are done: so it is more and more often her turn."""
    desk = Desk()
    for number in range(8):
        line_up(desk, headers={"user": "anna"}, message_id=f"a{number}")
        line_up(desk, headers={"user": "ben"}, message_id=f"b{number}")
    turns = ""
    while len(turns) < 9:
        sent = the(bridge(desk, capacity=1))
        turns += sent.held.job.id[0]
        bridge(desk, "full")
        from_cloud(desk, sent, "retried" if turns.endswith("a") else "done")
    assert turns == "ababaaaaa"


def test_while_the_breaker_trickles_one_job_goes_at_a_time() -> None:
    desk = Desk("vm1", cpu_percent=90.0, slots=9)
    bridge(desk, capacity=1)
    first = the(desk.job())
    assert first.key == "cloud"
    assert where(desk.job()) == [("j2", "vm.vm1")]
    bridge(desk, capacity=1, in_flight=1)
    assert where(desk.job()) == [("j3", "vm.vm1")]
    from_cloud(desk, first)
    assert where(desk.job()) == [("j4", "cloud")]


def test_predictive_overflows_by_what_bridges_tell() -> None:
    desk = Desk("vm1", config={"rules": Rules("predictive")}, look_ahead=0)
    bridge(desk, seconds={"sketch": 50.0})
    assert where(desk.job()) == [("j1", "vm.vm1")]
    line_up(desk)  # the VM will sooner be free than the cloud ends it
    ((job, key),) = where(bridge(desk, seconds={"sketch": 0.001}))
    assert (job, key) == ("j2", "cloud")


def test_threshold_overflows_however_long_the_cloud_takes() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    bridge(desk, seconds={"sketch": 50.0})
    (sent,) = [the(desk.job())]
    assert sent.key == "cloud"
    assert sent.event is not None
    assert sent.event.cloud is not None
    assert sent.event.cloud.end_s == 50.0


def test_a_claimed_picture_overflows_whatever_its_size() -> None:
    desk = busy()
    bridge(desk, largest_bytes=3)
    assert where(desk.job(body=b"", headers={"claim": f"pictures/20300131/{0:032}"})) == [("j1", "cloud")]
    assert where(desk.job(body=b"four")) == [("j2", "vm.vm1")]


def test_jobs_that_only_the_cloud_serves_wait_for_it_and_parked_ones_are_looked_through_once() -> None:
    desk = Desk("vm1")
    assert where(desk.job(routing_key="caption")) == [("j1", "parked.caption")]
    assert Collect("parked.caption") in bridge(desk, "full")
    assert desk.job(routing_key="caption") == []
    assert where(bridge(desk)) == [("j2", "cloud")]
    later: list[Command] = []
    for _ in range(4):
        desk.now += 3
        later += [*bridge(desk), *desk.beat()]
    assert Collect("parked.caption", stop=True) in later
    assert Collect("parked.caption") not in later


def test_what_the_broker_did_not_take_for_the_cloud_is_not_on_its_books() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    bridge(desk, capacity=1)
    first = the(desk.job())
    assert desk.dispatcher.rejected(first.held, "cloud", at(desk.now)) == []
    assert [key for _, key in where(desk.later(0.6))] == ["cloud"]


def test_what_was_taken_out_of_overflow_is_not_on_the_clouds_books_either() -> None:
    desk = Desk("vm1", cpu_percent=90.0, config={"cloud": Terms(jobs_per_minute=1)})
    bridge(desk)
    job = the(desk.job()).held.job
    assert where(desk.job()) == [("j2", "vm.vm1")]
    headers = {"operation": "sketch", "attempt": 1, "placement": job.placement}
    the(desk.job("overflow", routing_key="cloud", headers=headers, returns=1))
    assert where(desk.job()) == [("j4", "cloud")]


said = st.fixed_dictionaries(
    {
        "state": st.sampled_from(["ready", "ready", "full", "broken", "draining"]),
        "active": st.booleans(),
        "capacity": st.integers(0, 9),
        "in_flight": st.integers(0, 9),
        "consumers": st.integers(0, 2),
        "operations": st.sampled_from([(), ("sketch",), ("caption",)]),
        "seconds": st.dictionaries(st.sampled_from(["sketch", "caption"]), st.floats(0, 9)),
        "largest_bytes": st.integers(0, 9),
    }
)


@given(
    st.lists(st.tuples(said, st.booleans(), st.sampled_from(["sketch", "caption"]), st.booleans()), max_size=15),
    st.sampled_from(sorted(POLICIES)),
)
def test_a_local_job_never_overflows_whatever_bridges_say(
    script: list[tuple[dict[str, Any], bool, str, bool]], policy: str
) -> None:
    desk = Desk(config={"rules": Rules(policy)})
    commands: list[Command] = []
    for told, local, operation, beats in script:
        if beats:
            commands += desk.beat("vm1", cpu_percent=95.0)
        commands += bridge(desk, **told)
        commands += desk.job(routing_key=operation, headers={"site": "local" if local else "any"})
        commands += desk.later(1.0)
    gone = [command.held.job for command in forwards(commands) if command.key == "cloud"]
    assert all(job.site == "any" for job in gone)
