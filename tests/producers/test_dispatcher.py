"""Transcripts: what comes in, what the router is told to do."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from bus.control import Orders
from bus.events import BridgeStatus, JobEvent
from bus.messages import Message
from bus.problems import Kind
from producers.cancels import REMEMBERED_S, Asked
from producers.commands import (
    Announce,
    Arrival,
    Bury,
    Collect,
    Command,
    Forward,
    Refuse,
    Settle,
)
from producers.dispatcher import HELD_AT_MOST_S
from tests.producers.desk import LIMIT, Desk, at, forwards, line_up, only_refusal, the, where


def test_a_job_goes_to_the_vm_with_a_receipt() -> None:
    (forward,) = Desk("vm1").job(headers={"user": "anna"})
    assert isinstance(forward, Forward)
    assert (forward.key, forward.held.queue, forward.held.job.attempt) == ("vm.vm1", "lane.00", 1)
    event = forward.event
    assert event is not None
    assert (event.state, event.vm, event.user, event.reason) == ("routed", "vm1", "anna", "under 40 % CPU and 90 % RAM")
    assert event.candidates[0].vm == "vm1"
    assert len(event.model_dump_json(exclude_none=True)) < 1024


def test_jobs_beyond_slots_and_look_ahead_stay_in_their_lane_until_one_is_done() -> None:
    desk = Desk("vm1")
    first = the(desk.job())
    assert [where(desk.job()) for _ in range(2)] == [[("j2", "vm.vm1")], []]
    assert desk.status().waiting == {"sketch": "every slot is taken"}
    assert where(desk.told(first)) == [("j3", "vm.vm1")]
    assert desk.status().waiting == {}


def test_jobs_of_one_id_take_a_place_each() -> None:
    desk = Desk("vm1")
    first, second = (the(desk.job(message_id="1", headers={"user": user})) for user in ("anna", "ben"))
    places = [first.held.job.placement, second.held.job.placement]
    assert [str(place).rpartition("-")[2] for place in places] == ["0", "1"]
    assert first.event is not None
    assert first.event.placement == places[0]
    assert desk.job(message_id="1", headers={"user": "cleo"}) == []
    third = the(desk.told(first))
    assert where(desk.beat("vm1", held=(places[1], third.held.job.placement))) == []


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
    assert desk.status().waiting == {"sketch": "no VM is alive (none was ever heard)"}
    assert where(desk.beat("vm1")) == [("j1", "vm.vm1")]


def test_a_lost_vms_jobs_are_collected_and_placed_elsewhere() -> None:
    desk = Desk("vm1", "vm2")
    desk.now += 2
    desk.beat("vm2")
    commands = desk.later(1.5)
    assert Collect("vm.vm1") in commands
    assert [c.event.key for c in commands if isinstance(c, Announce)] == ["vm.lost.vm1"]
    back_home = the(desk.job("vm.vm1", routing_key="vm.vm1", headers={"operation": "sketch", "attempt": 1}))
    assert (back_home.key, back_home.exchange, back_home.event) == ("sketch", "jobs.lanes", None)
    assert back_home.held.job.attempt == 0  # it never ran there, and is counted when it is placed
    back = desk.beat("vm1")
    assert Collect("vm.vm1", stop=True) in back


def taken_back(desk: Desk, first: Forward, **how: Any) -> Forward:
    """The job is taken out of a VM's queue; the way it goes back to its lane."""
    job = first.held.job
    headers = {"operation": "sketch", "attempt": job.attempt, "placement": job.placement}
    return the(desk.job(first.key, routing_key=first.key, message_id=job.id, headers=headers, **how))


def in_lane_again(desk: Desk, home: Forward) -> list[Command]:
    """It comes out of its lane."""
    desk.tickets += 1
    arrival = Arrival(desk.tickets, "lane.00", is_new=False)
    return desk.dispatcher.arrived(arrival, home.held.job.to_message("sketch", int(desk.now * 1000)), at(desk.now))


def test_a_job_that_a_dead_vm_had_begun_counts_as_an_attempt_and_waits_a_little() -> None:
    desk = Desk("vm1", slots=4)
    first = the(desk.job())
    desk.told(first, "running")
    desk.later(4)
    desk.beat("vm2", slots=4)
    assert in_lane_again(desk, taken_back(desk, first, returns=1)) == []
    second = the(desk.later(1))
    assert (second.key, second.held.job.attempt) == ("vm.vm2", 2)
    (told,) = second.held.job.history
    assert (told.vm, told.attempt) == ("vm1", 1)
    assert "while it had the job" in told.reason


def test_a_job_that_a_dead_vm_had_not_begun_costs_no_attempt() -> None:
    desk = Desk("vm1", slots=4)
    first = the(desk.job())
    desk.later(4)
    desk.beat("vm2")
    assert the(in_lane_again(desk, taken_back(desk, first, returns=1))).held.job.attempt == 1


def test_what_came_back_more_than_once_is_believed_to_have_been_begun() -> None:
    desk = Desk("vm1", slots=4)
    first = the(desk.job())
    home = taken_back(desk, first, returns=2)
    assert in_lane_again(desk, home) == []
    assert the(desk.later(2)).held.job.attempt == 3


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
    assert (parked.key, parked.exchange, parked.event and parked.event.state) == ("parked.caption", "", "parked")
    assert parked.held.job.attempt == 0
    assert "no weights" in desk.status().waiting["caption"]
    served = desk.beat("vm1", operations=("sketch", "caption"))
    assert Collect("parked.caption") in served
    assert desk.status().waiting == {}
    back = desk.job("parked.caption", routing_key="parked.caption", headers={"operation": "caption", "attempt": 0})
    assert (the(back).key, the(back).exchange, the(back).event) == ("caption", "jobs.lanes", None)
    assert the(back).held.job.attempt == 0


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
    desk.later(0.4)
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
    ((job, key),) = where(desk.later(0.6))
    assert job == "j1"
    assert key != gone


def test_overflow_goes_to_the_cloud_key() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    desk.dispatcher.bridges(1, at(100))
    (forward,) = desk.job()
    assert isinstance(forward, Forward)
    assert forward.event is not None
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


def test_a_lost_connection_empties_the_window_and_nothing_else() -> None:
    desk = Desk()
    desk.job()
    desk.dispatcher.forget()
    assert where(desk.beat("vm1")) == []
    desk.dispatcher.activate(Orders(), 100, at(100))
    assert where(desk.job()) == [("j2", "vm.vm1")]


def test_after_a_lost_connection_a_vm_is_given_time_to_be_heard() -> None:
    desk = Desk("vm1")
    desk.dispatcher.forget()
    desk.later(30)
    desk.dispatcher.activate(Orders(), desk.now, at(desk.now))
    desk.later(3)
    assert where(desk.job()) == [("j1", "vm.vm1")]
    assert desk.status().lost == {}
    desk.later(0.1)
    assert desk.status().lost == {"vm1": 33.1}


def test_the_status_tells_who_is_lost_for_an_hour() -> None:
    desk = Desk("vm1", "vm2")
    desk.later(10)
    desk.beat("vm2")
    assert desk.status().lost == {"vm1": 10.0}
    desk.later(3600)
    assert desk.status().lost == {"vm2": 3600.0}


def test_the_status_counts_what_was_routed() -> None:
    desk = Desk("vm1")
    desk.job()
    status = desk.status()
    assert (status.router, status.routed) == ("r1", 1)


def test_a_router_that_stands_by_says_and_places_nothing() -> None:
    desk = Desk(active=False)
    assert desk.beat("vm1") == []
    assert desk.later(5) == []
    assert not desk.status().active
    desk.beat("vm1")
    assert desk.dispatcher.activate(Orders(), desk.now + 1.5, at(desk.now)) == []
    assert desk.job() == []
    desk.later(1)
    desk.beat("vm1")
    assert where(desk.later(0.6)) == [("j1", "vm.vm1")]


def test_a_new_router_sends_what_comes_again_to_the_vm_that_has_it() -> None:
    first = Desk("vm1", "vm2", slots=4)
    forward = the(first.job(message_id="same"))
    vm = forward.key.removeprefix("vm.")
    second = Desk("vm1", "vm2", slots=4)
    second.beat(vm, held=(forward.held.job.placement,), slots=4, cpu_percent=95.0)
    assert where(second.job(message_id="same", redelivered=True)) == [("same", forward.key)]


def test_a_repeat_waits_for_its_first_run_on_a_full_vm() -> None:
    desk = Desk("vm1")
    first, _ = the(desk.job(message_id="same")), the(desk.job())
    desk.beat("vm2")
    line_up(desk, message_id="same")
    assert "its first run is under way on vm1" in desk.status().waiting["sketch"]
    assert where(desk.told(first)) == [("same", "vm.vm1")]


def test_a_repeat_goes_anywhere_once_its_first_vm_takes_no_jobs() -> None:
    desk = Desk("vm1")
    desk.job(message_id="same")
    desk.later(4)
    desk.beat("vm2")
    assert where(desk.job(message_id="same")) == [("same", "vm.vm2")]


def test_a_repeat_whose_first_run_was_elsewhere_needs_no_full_vm() -> None:
    desk = Desk("vm1")
    first = the(desk.job(message_id="same"))
    desk.told(first)
    for _ in range(2):
        desk.job()
    desk.beat("vm2")
    assert where(desk.job(message_id="same")) == [("same", "vm.vm2")]


def test_a_failed_job_waits_before_its_next_attempt_and_goes_elsewhere() -> None:
    desk = Desk("vm1", "vm2", config={"retry_delay_s": 10.0})
    history = '[{"attempt": 1, "at_ms": 99000, "vm": "vm1", "problem": "timed-out", "reason": "slow"}]'
    line_up(desk, headers={"attempt": 1, "history": history})
    waited_s, placed = 0.0, list[tuple[str, str]]()
    while not placed:
        waited_s += 0.5
        for vm in ("vm1", "vm2"):
            desk.beat(vm)
        placed = where(desk.later(0.5))
    assert placed == [("j1", "vm.vm2")]
    assert 4 <= waited_s <= 9.5  # of the 5 to 10 seconds one had passed


def test_a_failed_job_keeps_its_deadline_while_it_waits() -> None:
    desk = Desk("vm1", config={"retry_delay_s": 30.0})
    history = '[{"attempt": 1, "at_ms": 100000, "vm": "vm1", "reason": "slow"}]'
    line_up(desk, headers={"attempt": 1, "history": history}, expiration="2000")
    (refusal,) = [command for command in desk.later(2.5) if isinstance(command, Refuse)]
    assert refusal.problem.type == Kind.EXPIRED.urn


def test_too_many_attempts_end_a_job_with_the_last_reason() -> None:
    history = '[{"attempt": 3, "at_ms": 1, "vm": "vm1", "reason": "its process died"}]'
    refusal = only_refusal(Desk("vm1").job(headers={"attempt": 3, "history": history}))
    assert refusal.problem.type == Kind.TOO_MANY_ATTEMPTS.urn
    assert "its process died" in refusal.problem.detail
    assert refusal.job is not None
    assert "3 attempts" in only_refusal(Desk("vm1").job(headers={"attempt": 3})).problem.detail


def test_a_user_may_have_so_many_jobs_in_line() -> None:
    desk = Desk(config={"user_queued": 2})
    for _ in range(2):
        line_up(desk, headers={"user": "anna"})
    refusal = only_refusal(desk.job(headers={"user": "anna"}))
    assert refusal.problem.type == Kind.TOO_MANY_JOBS.urn
    assert (refusal.problem.retry_after_s or 0) >= 1
    line_up(desk, headers={"user": "ben"})
    line_up(desk, headers={"user": "anna", "attempt": 1})  # handed back by a VM: taken once, it stays
    line_up(desk, headers={"user": "anna"}, redelivered=True)


def test_a_user_may_send_so_many_jobs_a_minute() -> None:
    desk = Desk("vm1", config={"user_jobs_per_minute": 1}, slots=9)
    assert len(forwards(desk.job())) == 1
    assert only_refusal(desk.job()).problem.type == Kind.TOO_FAST.urn


def test_one_users_crowd_delays_another_by_one_job() -> None:
    desk = Desk()
    for number in range(50):
        line_up(desk, headers={"user": "anna"}, message_id=f"a{number}")
    line_up(desk, headers={"user": "ben"}, message_id="b")
    assert "b" in [job for job, _ in where(desk.beat("vm1"))]


def test_interactive_jobs_go_before_batch() -> None:
    desk = Desk()
    for number in range(5):
        line_up(desk, message_id=f"batch{number}")
    line_up(desk, message_id="now", priority=5, headers={"user": "ben"})
    assert where(desk.beat("vm1"))[0] == ("now", "vm.vm1")


def test_a_job_in_line_is_cancelled() -> None:
    desk = Desk()
    line_up(desk, headers={"user": "anna"}, message_id="mine")
    commands, said = desk.dispatcher.cancel(Asked("anna", "mine", 77, 100_000), at(100))
    (refusal, settled) = commands
    assert isinstance(refusal, Refuse)
    assert (refusal.problem.type, settled, said) == (Kind.CANCELLED.urn, Settle(77), "cancelled")
    assert where(desk.beat("vm1")) == []


def test_a_job_that_is_not_there_yet_is_cancelled_when_it_comes() -> None:
    desk = Desk("vm1")
    commands, said = desk.dispatcher.cancel(Asked("anna", "mine", 77, 100_000), at(100))
    assert commands == []
    assert "20 minutes" in said
    line_up(desk, headers={"user": "ben"}, message_id="mine", body=b"")  # another's
    refusal, settled = desk.job(headers={"user": "anna"}, message_id="mine")
    assert isinstance(refusal, Refuse)
    assert (refusal.problem.type, settled) == (Kind.CANCELLED.urn, Settle(77))
    assert len(forwards(desk.job(headers={"user": "anna"}, message_id="mine"))) == 1


def test_an_order_to_cancel_ends_with_its_job_or_its_time() -> None:
    desk = Desk("vm1")
    cancel = desk.dispatcher.cancel
    first = the(desk.job(message_id="mine"))
    assert cancel(Asked("anonymous", "mine", 7, 100_000), at(100))[0] == []
    assert Settle(7) in desk.told(first, "failed", problem="cancelled")
    assert cancel(Asked("anonymous", "mine", 8, 100_000), at(100)) == ([], "it has ended already")
    assert len(forwards(desk.job(message_id="mine"))) == 1  # the same operation: too late, this is another job
    assert cancel(Asked("anonymous", "other", 9, 100_000), at(100))[0] == []
    assert cancel(Asked("anonymous", "other", 10, 101_000), at(101))[0] == [Settle(9)]
    assert Settle(10) in desk.later(REMEMBERED_S + 2)


def test_an_order_spares_what_was_sent_after_it() -> None:
    desk = Desk()
    line_up(desk, message_id="mine", sent_ms=99_000)
    line_up(desk, message_id="mine", sent_ms=200_000)
    commands, said = desk.dispatcher.cancel(Asked("anonymous", "mine", 7, 100_000), at(300))
    assert [command.ticket for command in commands if isinstance(command, Refuse)] == [1]
    assert said == "cancelled"


def test_a_drained_vm_gets_no_job_and_is_emptied_until_it_is_resumed() -> None:
    desk = Desk("vm1", "vm2")
    drained = desk.dispatcher.ordered(Orders(seq=1, drained=frozenset({"vm1"})), at(100))
    assert Collect("vm.vm1") in drained
    assert [command.event.key for command in drained if isinstance(command, Announce)] == ["vm.draining.vm1"]
    assert {key for _ in range(3) for _, key in where(desk.job())} == {"vm.vm2"}
    assert desk.status().drained == ("vm1",)
    resumed = desk.dispatcher.ordered(Orders(seq=2), at(100))
    assert Collect("vm.vm1", stop=True) in resumed
    assert where(resumed) == [("j3", "vm.vm1")]


def test_a_paused_operation_steps_aside_and_comes_back() -> None:
    desk = Desk("vm1")
    desk.dispatcher.ordered(Orders(seq=1, paused=frozenset({"sketch"})), at(100))
    parked = the(desk.job())
    assert (parked.key, parked.exchange) == ("parked.sketch", "")
    assert desk.status().waiting["sketch"] == "sketch is paused by an operator"
    assert desk.status().paused == ("sketch",)
    assert Collect("parked.sketch") in desk.dispatcher.ordered(Orders(seq=2), at(100))


def test_without_a_bridge_nothing_overflows_and_what_did_is_taken_back() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    assert where(desk.job()) == [("j1", "vm.vm1")]
    assert desk.status().cloud == "no bridge is alive"
    assert desk.dispatcher.bridges(0, at(100)) == []  # one that stands by may be about to take over
    assert Collect("overflow") in desk.dispatcher.bridges(0, at(103))
    assert desk.dispatcher.bridges(1, at(103)) == []  # that is ourselves
    assert Collect("overflow", stop=True) in desk.dispatcher.bridges(2, at(103))
    assert desk.status().cloud == "open"
    assert where(desk.job()) == [("j2", "cloud")]
    broken = BridgeStatus(bridge="b", state="broken", at_ms=1, reason="no quota")
    assert desk.dispatcher.heard(broken, at(100)) == []
    assert desk.status().cloud == "broken: no quota"
    assert where(desk.job()) == [("j3", "vm.vm1")]
    back = the(desk.job("overflow", routing_key="cloud", headers={"operation": "sketch", "attempt": 1}))
    assert (back.exchange, back.held.job.attempt) == ("jobs.lanes", 0)


def test_a_bridge_that_stands_by_is_given_longer_to_take_over() -> None:
    desk = Desk("vm1")
    desk.dispatcher.bridges(0, at(100))
    for second, taken_home in ((103, False), (114, False), (115, True)):
        desk.dispatcher.heard(BridgeStatus(bridge="b", state="ready", at_ms=1, active=False), at(second))
        assert (Collect("overflow") in desk.dispatcher.bridges(0, at(second))) is taken_home


def test_a_local_job_never_overflows() -> None:
    desk = Desk("vm1", cpu_percent=90.0)
    desk.dispatcher.bridges(1, at(100))
    assert where(desk.job(headers={"site": "local"})) == [("j1", "vm.vm1")]


def test_a_job_that_waits_is_told_its_place_and_when_it_will_be_done() -> None:
    desk = Desk("vm1")
    for _ in range(4):
        desk.job()
    told = [command.event for command in desk.later(0.2) if isinstance(command, Announce)]
    waiting = [event for event in told if isinstance(event, JobEvent)]
    assert [(event.state, event.job, event.place) for event in waiting] == [("waiting", "j3", 1), ("waiting", "j4", 2)]
    soonest, latest = waiting[0].eta_s or (0, 0)
    assert 0 < soonest < latest


def test_a_job_is_sent_anew_before_the_broker_loses_patience() -> None:
    desk = Desk()
    line_up(desk, sent_ms=99_000)
    assert forwards(desk.later(HELD_AT_MOST_S - 1)) == []
    again = the(desk.later(2))
    assert (again.held.ticket, again.exchange, again.key, again.held.job.attempt) == (1, "jobs.lanes", "sketch", 0)
    assert again.held.sent_ms == 99_000
    assert where(desk.beat("vm1")) == []


def test_a_vm_that_fails_jobs_gets_fewer() -> None:
    desk = Desk("vm1", "vm2", slots=8)
    for _ in range(3):
        forward = next(c for c in iter(lambda: the(desk.job(headers={"site": "local"})), None) if c.key == "vm.vm1")
        desk.told(forward, "retried", problem="timed-out", reason="slow")
    desk.beat("vm1", slots=8)
    desk.beat("vm2", slots=8)
    assert {key for _ in range(4) for _, key in where(desk.job())} == {"vm.vm2"}


def test_the_status_tells_who_has_most_in_line() -> None:
    desk = Desk()
    for user in ("anna", "anna", "ben"):
        line_up(desk, headers={"user": user})
    status = desk.status()
    assert status.queued == 3
    assert [(row.user, row.queued) for row in status.users] == [("anna", 2), ("ben", 1)]


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
            commands = desk.told(latest, ran_ms=100)
        forwarded += where(commands)
        latest = next((command for command in reversed(commands) if isinstance(command, Forward)), latest)
    line = desk.dispatcher._line
    in_window = [held.job.id for ticket in range(1, desk.tickets + 1) if (held := line.get(ticket))]
    placed = [job for job, _ in forwarded]
    assert sorted(in_window + placed) == sorted(f"j{n + 1}" for n in range(desk.tickets))


def test_events_carry_the_keys_of_the_contract() -> None:
    (forward,) = Desk("vm1").job()
    assert isinstance(forward, Forward)
    assert isinstance(forward.event, JobEvent)
    assert forward.event.key == "job.routed.sketch"


def test_a_bridge_that_comes_and_goes_costs_no_attempt() -> None:
    desk = Desk("vm1")
    headers = {"operation": "sketch", "attempt": 1}
    assert the(desk.job("overflow", routing_key="cloud", headers=headers)).held.job.attempt == 0
    worn = the(desk.job("overflow", routing_key="cloud", headers=headers, returns=2)).held.job
    assert (worn.attempt, worn.history[0].reason) == (2, "the bridge ended, or fell silent, while it had the job")


def test_a_job_held_for_long_is_given_back_rather_than_tried_again() -> None:
    desk = Desk("vm1")
    first = the(desk.job())
    desk.now += HELD_AT_MOST_S / 2 + 1
    again = desk.dispatcher.rejected(first.held, first.key, at(desk.now))[0]
    assert isinstance(again, Forward)
    assert (again.exchange, again.held.ticket) == ("jobs.lanes", 1)


def test_a_vm_that_says_it_holds_nothing_has_nothing_left_to_do() -> None:
    desk = Desk("vm1")
    the(desk.job())
    for _ in range(5):
        desk.now += 1
        desk.beat("vm1")
    assert len(desk.dispatcher._work) == 0


def test_the_next_job_is_bound_to_a_vm_only_when_a_slot_is_about_to_be_free() -> None:
    desk = Desk("vm1", config={"lead_s": 0.02})
    assert desk.dispatcher.wake_s is None
    the(desk.job())
    assert desk.dispatcher.wake_s is None  # nobody waits
    line_up(desk, headers={"user": "anna"})
    line_up(desk, headers={"user": "ben"}, message_id="b", priority=9)
    wake_s = desk.dispatcher.wake_s or 0
    assert desk.now < wake_s < desk.now + 0.05
    assert where(desk.dispatcher.wake(at(wake_s))) == [("b", "vm.vm1")]
    assert desk.status().waiting["sketch"] == "every slot is taken"


def test_what_a_caller_writes_into_our_headers_is_not_believed() -> None:
    desk = Desk(config={"user_queued": 1})
    line_up(desk, headers={"user": "anna"})
    lies = {"user": "anna", "received_ms": 1, "placement": "p", "history": "[]", "deadline_ms": 1, "pixels": 1}
    assert only_refusal(desk.job(headers=lies)).problem.type == Kind.TOO_MANY_JOBS.urn


def test_a_picture_too_large_for_the_cloud_holds_up_no_smaller_one() -> None:
    desk = Desk("vm1", cpu_percent=90.0, config={"max_image_bytes": 16 << 20})
    for _ in range(2):
        desk.job(headers={"site": "local"})
    desk.dispatcher.bridges(1, at(100))
    line_up(desk, body=bytes(10_000_000))
    assert where(desk.job()) == [("j4", "cloud")]


def test_what_a_router_tells_itself_changes_nothing() -> None:
    desk = Desk("vm1")
    refused = JobEvent(state="failed", job="j1", operation="sketch", at_ms=1, problem="expired")
    assert desk.dispatcher.heard(refused, at(desk.now)) == []


def test_a_fault_of_ours_leaves_nothing_in_line() -> None:
    desk = Desk()
    line_up(desk)
    desk.dispatcher.lost(1)
    assert desk.status().queued == 0


def in_line_and_told() -> tuple[Desk, Forward]:
    """A VM with two jobs, and one that waited and was told when it would be done; then that one is on the VM too."""
    desk = Desk("vm1")
    first, _ = the(desk.job()), the(desk.job())
    line_up(desk)
    desk.later(0.5)
    return desk, the(desk.told(first))


def promised(desk: Desk) -> tuple[float, float]:
    """What the next is told who has to wait."""
    desk.beat("vm1")
    while where(desk.job(message_id="next")):
        pass
    (told,) = (c.event for c in desk.later(0.2) if isinstance(c, Announce) and isinstance(c.event, JobEvent))
    assert told.eta_s is not None
    return told.eta_s


def test_a_usual_wait_is_learnt_from_and_one_that_an_outage_made_is_not() -> None:
    usual = promised(in_line_and_told()[0])

    desk, third = in_line_and_told()
    for _ in range(60):
        desk.later(1)
        desk.beat("vm1")
    desk.told(third)
    assert promised(desk)[1] > usual[1]

    silent, third = in_line_and_told()
    silent.later(60)  # nothing is heard of the VM, which then comes back
    silent.beat("vm1")
    silent.told(third)
    assert promised(silent) == usual

    cut_off, third = in_line_and_told()
    cut_off.dispatcher.forget()
    cut_off.now += 60
    cut_off.dispatcher.activate(Orders(), cut_off.now, at(cut_off.now))
    cut_off.beat("vm1")
    cut_off.told(third)
    assert promised(cut_off) == usual
