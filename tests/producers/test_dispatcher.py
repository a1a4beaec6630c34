"""Transcripts: what comes in, what the router is told to do."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bus.events import Heartbeat, JobEvent
from bus.messages import Message
from bus.problems import Kind
from producers import dispatcher as module
from producers.dispatcher import Announce, Bury, Collect, Command, Dispatcher, Forward, Moment, Refuse
from producers.placement import Rules
from telemetry.fleet import Fleet

LIMIT = 1000


def at(seconds: float) -> Moment:
    return Moment(seconds, int(seconds * 1000))


class Desk:
    """A dispatcher with a clock that stands still until it is moved."""

    def __init__(self, *vms: str, **beat: Any) -> None:
        self.dispatcher = Dispatcher(Fleet(), Rules(), max_image_bytes=LIMIT, name="r1", session="r")
        self.now = 100.0
        self.seq = 0
        self.tickets = 0
        for vm in vms:
            self.beat(vm, **beat)

    def again(self, **message: Any) -> list[Command]:
        """A job whose first attempt failed, back in its lane."""
        return self.job(message_id="again", headers={"attempt": 1}, **message)

    def beat(self, vm: str = "vm1", **changes: Any) -> list[Command]:
        self.seq += 1
        figures: dict[str, Any] = {"cpu_percent": 5.0, "ram_percent": 30.0, "cores": 2, "slots": 1, "look_ahead": 1}
        figures |= {"operations": ("sketch",), "worker": "ready"} | changes
        beat = Heartbeat(vm=vm, session="s", started_ms=1, seq=self.seq, at_ms=1, **figures)
        return self.dispatcher.heard(beat, at(self.now))

    def job(self, queue: str = "lane.00", *, returns: int = 0, **message: Any) -> list[Command]:
        self.tickets += 1
        given: dict[str, Any] = {"body": b"image", "routing_key": "sketch", "reply_to": "r"}
        given |= {"message_id": f"j{self.tickets}"} | message
        return self.dispatcher.arrived(self.tickets, queue, Message(**given), at(self.now), returns=returns)

    def later(self, seconds: float) -> list[Command]:
        self.now += seconds
        return self.dispatcher.tick(at(self.now))


def where(commands: list[Command]) -> list[tuple[str, str]]:
    """(job, key) of each job forwarded."""
    return [(command.held.job.id, command.key) for command in commands if isinstance(command, Forward)]


def only_refusal(commands: list[Command]) -> Refuse:
    (refusal,) = commands
    assert isinstance(refusal, Refuse)
    return refusal


def test_a_job_goes_to_the_vm_with_a_receipt() -> None:
    (forward,) = Desk("vm1").job(headers={"user": "anna"})
    assert isinstance(forward, Forward)
    assert (forward.key, forward.held.queue, forward.held.job.attempt) == ("vm.vm1", "lane.00", 1)
    event = forward.event
    assert (event.state, event.vm, event.user, event.reason) == ("routed", "vm1", "anna", "under 40 % load")
    assert event.candidates[0].vm == "vm1"
    assert len(event.model_dump_json(exclude_none=True)) < 1024


def test_jobs_beyond_slots_and_look_ahead_stay_in_their_lane_until_one_is_done() -> None:
    desk = Desk("vm1")
    assert [where(desk.job()) for _ in range(3)] == [[("j1", "vm.vm1")], [("j2", "vm.vm1")], []]
    assert desk.dispatcher.status(at(100)).waiting == {"sketch": "every slot is taken"}
    assert where(desk.dispatcher.finished("vm1", "r-0", at(101))) == [("j3", "vm.vm1")]
    assert desk.dispatcher.status(at(101)).waiting == {}


def test_jobs_of_one_id_take_a_place_each() -> None:
    desk = Desk("vm1")
    forwarded = [command for _ in range(20) for command in desk.job(message_id="1") if isinstance(command, Forward)]
    assert [forward.held.job.placement for forward in forwarded] == ["r-0", "r-1"]
    assert forwarded[0].event.placement == "r-0"
    freed = desk.dispatcher.finished("vm1", "r-0", at(101))
    assert where(freed) == [("1", "vm.vm1")]
    assert where(desk.beat("vm1", held=("r-1", "r-2"))) == []


def test_a_vm_that_only_loads_is_emptied() -> None:
    assert Collect("vm.vm1") in Desk("vm1").beat("vm1", worker="starting")


def test_two_vms_share_the_work() -> None:
    desk = Desk("vm1", "vm2")
    keys = [key for _ in range(4) for _, key in where(desk.job())]
    assert sorted(keys) == ["vm.vm1", "vm.vm1", "vm.vm2", "vm.vm2"]
    assert keys[:2] != keys[2:3] * 2


def test_with_no_vm_the_job_waits_visibly_and_runs_when_one_comes() -> None:
    desk = Desk()
    assert desk.job() == []
    assert desk.dispatcher.status(at(100)).waiting == {"sketch": "no VM is alive (none was ever heard)"}
    assert where(desk.beat("vm1")) == [("j1", "vm.vm1")]


def test_a_lost_vms_jobs_are_collected_and_placed_elsewhere() -> None:
    desk = Desk("vm1", "vm2")
    desk.now += 2
    desk.beat("vm2")
    commands = desk.later(1.5)
    assert Collect("vm.vm1") in commands
    assert [c.event.key for c in commands if isinstance(c, Announce)] == ["vm.lost.vm1"]
    taken_back = desk.job("vm.vm1", routing_key="vm.vm1", headers={"operation": "sketch", "attempt": 1})
    assert where(taken_back) == [("j1", "vm.vm2")]
    assert isinstance(taken_back[0], Forward)
    assert taken_back[0].held.job.attempt == 1  # it never ran there
    back = desk.beat("vm1")
    assert Collect("vm.vm1", stop=True) in back


def test_a_job_a_dead_worker_had_counts_as_an_attempt() -> None:
    desk = Desk("vm2")
    headers = {"operation": "sketch", "attempt": 1}
    (forward,) = desk.job("vm.vm1", returns=1, routing_key="vm.vm1", headers=headers)
    assert isinstance(forward, Forward)
    assert forward.held.job.attempt == 2


def test_a_draining_vm_is_emptied_too() -> None:
    assert Collect("vm.vm1") in Desk("vm1").beat("vm1", worker="draining")


def test_a_queue_that_could_not_be_collected_is_asked_for_again() -> None:
    desk = Desk("vm1")
    assert Collect("vm.vm1") in desk.later(4)
    assert desk.later(1) == []
    desk.dispatcher.uncollected("vm.vm1")
    assert desk.later(1) == [Collect("vm.vm1")]


def test_an_operation_nobody_serves_steps_aside_and_comes_back() -> None:
    desk = Desk("vm1", not_served={"caption": "no weights"})
    (parked,) = desk.job(routing_key="caption")
    assert isinstance(parked, Forward)
    assert (parked.key, parked.park, parked.event.state) == ("parked.caption", True, "parked")
    assert parked.held.job.attempt == 0
    assert "no weights" in desk.dispatcher.status(at(100)).waiting["caption"]
    served = desk.beat("vm1", operations=("sketch", "caption"))
    assert Collect("parked.caption") in served
    assert desk.dispatcher.status(at(100)).waiting == {}
    back = desk.job("parked.caption", routing_key="parked.caption", headers={"operation": "caption", "attempt": 0})
    assert where(back) == [("j2", "vm.vm1")]


def test_a_parked_job_is_not_parked_again() -> None:
    desk = Desk("vm1")
    assert desk.job("parked.caption", routing_key="parked.caption", headers={"operation": "caption"}) == []
    assert "no VM serves caption" in desk.dispatcher.status(at(100)).waiting["caption"]


def test_one_operation_that_must_wait_holds_up_no_other() -> None:
    desk = Desk("vm1", "vm2")
    desk.beat("vm2", operations=("caption",), slots=1, look_ahead=0)
    assert where(desk.job(routing_key="caption")) == [("j1", "vm.vm2")]
    assert desk.job(routing_key="caption") == []
    assert where(desk.job()) == [("j3", "vm.vm1")]


def test_an_empty_body_is_refused() -> None:
    assert only_refusal(Desk("vm1").job(body=b"")).problem.type == Kind.EMPTY_IMAGE.urn


def test_too_many_bytes_are_refused_with_the_limit() -> None:
    refusal = only_refusal(Desk("vm1").job(body=b"x" * (LIMIT + 1)))
    assert (refusal.problem.type, refusal.problem.limit) == (Kind.TOO_MANY_BYTES.urn, LIMIT)
    assert where(Desk("vm1").job(body=b"x" * LIMIT)) == [("j1", "vm.vm1")]


def test_a_wrong_header_is_refused_by_name() -> None:
    refusal = only_refusal(Desk("vm1").job(headers={"site": "moon"}))
    assert (refusal.job, refusal.problem.field) == (None, "site")


def test_without_reply_to_a_job_is_buried() -> None:
    (command,) = Desk("vm1").job(reply_to=None)
    assert isinstance(command, Bury)
    assert "reply_to" in command.reason


def test_a_job_expires_on_arrival_or_while_it_waits() -> None:
    desk = Desk()
    assert only_refusal(desk.job(expiration="0")).problem.type == Kind.EXPIRED.urn
    assert desk.job(expiration="500") == []
    assert desk.later(0.4) == []
    assert only_refusal(desk.later(0.2)).problem.type == Kind.EXPIRED.urn
    assert desk.later(1) == []


def test_an_unknown_operation_is_refused_with_those_there_are() -> None:
    refusal = only_refusal(Desk().dispatcher.unroutable(1, Message(routing_key="polish")))
    assert "sketch, remove-background, caption" in refusal.problem.detail


def test_what_the_broker_gives_back_is_refused_for_its_reason() -> None:
    desk = Desk()
    expired = Message(headers={"x-first-death-reason": "expired"})
    assert only_refusal(desk.dispatcher.returned(1, expired)).problem.type == Kind.EXPIRED.urn
    worn_out = Message(headers={"x-first-death-reason": "delivery_limit"})
    assert only_refusal(desk.dispatcher.returned(1, worn_out)).problem.type == Kind.TOO_MANY_ATTEMPTS.urn


def test_a_vm_without_a_queue_is_lost_and_the_job_placed_elsewhere() -> None:
    desk = Desk("vm1", "vm2")
    (forward,) = desk.job()
    assert isinstance(forward, Forward)
    gone = forward.key
    assert where(desk.dispatcher.rejected(forward.held, gone, at(100))) == []
    ((job, key),) = where(desk.later(0.1))
    assert job == "j1"
    assert key != gone


def test_a_refused_parking_is_tried_again_later() -> None:
    desk = Desk("vm1")
    (parked,) = desk.job(routing_key="caption")
    assert isinstance(parked, Forward)
    assert where(desk.dispatcher.rejected(parked.held, parked.key, at(100))) == []
    assert where(desk.beat("vm1")) == [("j1", "parked.caption")]


def test_overflow_goes_to_the_cloud_key() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    desk.dispatcher.cloud_open = True
    (forward,) = desk.job()
    assert isinstance(forward, Forward)
    assert (forward.key, forward.event.route, forward.event.vm) == ("cloud", "cloud", None)


def test_a_repeat_goes_where_the_first_run_was() -> None:
    desk = Desk("vm1", "vm2", slots=8)
    ((_, first),) = where(desk.job(message_id="same"))
    desk.beat(first.removeprefix("vm."), cpu_percent=95.0, slots=8)
    assert where(desk.job(message_id="same")) == [("same", first)]
    ((_, other),) = where(desk.job(message_id="same", body=b"another picture"))
    assert other != first


def test_a_retry_goes_elsewhere_while_there_is_an_elsewhere() -> None:
    desk = Desk("vm1", "vm2", slots=8)
    ((_, first),) = where(desk.job(message_id="again"))
    ((_, second),) = where(desk.again())
    assert second != first
    assert where(Desk("vm1").again()) == [("again", "vm.vm1")]
    alone = Desk("vm1", slots=8)
    alone.job(message_id="again")
    assert where(alone.again()) == [("again", "vm.vm1")]


def test_the_memory_of_placements_is_bounded(monkeypatch: Any) -> None:
    monkeypatch.setattr(module, "REMEMBERED", 2)
    desk = Desk("vm1", slots=100)
    for _ in range(5):
        desk.job()
    assert len(desk.dispatcher._placed) == 2


def test_a_lost_connection_empties_the_window_and_nothing_else() -> None:
    desk = Desk()
    desk.job()
    desk.dispatcher.forget()
    assert where(desk.beat("vm1")) == []
    assert where(desk.job()) == [("j2", "vm.vm1")]


def test_the_status_counts_what_was_routed() -> None:
    desk = Desk("vm1")
    desk.job()
    status = desk.dispatcher.status(at(100))
    assert (status.router, status.routed) == ("r1", 1)


steps = st.lists(
    st.one_of(
        st.tuples(st.just("job"), st.sampled_from(["sketch", "caption"]), st.sampled_from("abc")),
        st.tuples(st.just("beat"), st.sampled_from(["vm1", "vm2"]), st.sampled_from([5.0, 95.0])),
        st.tuples(st.just("done"), st.just(""), st.just("")),
        st.tuples(st.just("time"), st.just(""), st.sampled_from([0.3, 5.0])),
    ),
    max_size=40,
)


@given(steps)
def test_every_job_is_in_exactly_one_place(script: list[tuple[str, str, Any]]) -> None:
    desk = Desk()
    forwarded: list[tuple[str, str]] = []
    latest: Forward | None = None
    for kind, name, value in script:
        commands: list[Command] = []
        if kind == "job":
            commands = desk.job(routing_key=name, headers={"user": value})
        elif kind == "beat":
            commands = desk.beat(name, cpu_percent=value)
        elif kind == "time":
            commands = desk.later(value)
        elif latest is not None:
            commands = desk.dispatcher.finished(latest.key.removeprefix("vm."), latest.held.job.place, at(desk.now))
        forwarded += where(commands)
        latest = next((command for command in reversed(commands) if isinstance(command, Forward)), latest)
    in_window = [held.job.id for held in desk.dispatcher._window]
    placed = [job for job, _ in forwarded]
    assert sorted(in_window + placed) == sorted(f"j{n + 1}" for n in range(desk.tickets))


def test_events_carry_the_keys_of_the_contract() -> None:
    (forward,) = Desk("vm1").job()
    assert isinstance(forward, Forward)
    assert isinstance(forward.event, JobEvent)
    assert forward.event.key == "job.routed.sketch"
