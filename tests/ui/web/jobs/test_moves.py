import json
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.answers import Answer
from bus.events import JobState
from bus.problems import PROBLEM_JSON, Kind, Problem
from tests.ui.web.jobs.office import NOW, order, record, step
from ui.web.jobs import moves
from ui.web.jobs.moves import Spans, moved
from ui.web.jobs.record import JOB_BYTES, Picture, Record, Result

LATER = NOW + 5000
DAY = 86_400_000


def after(*events: Any, of: Record | None = None) -> Record:
    now = of or record()
    for event in events:
        now = moved(now, event, LATER)
    return now


def answer(**more: Any) -> Answer:
    given = {"job": "a" * 32, "operation": "sketch", "content_type": "image/png", "body": b"", "vm": "vm2"}
    return Answer(**{**given, **more})


def test_the_life_of_a_job() -> None:
    now = moves.sent(record(), LATER)
    assert now.state == "queued"
    now = after(step("waiting", place=3, eta_s=(1.0, 2.0), attempt=1), of=now)
    assert (now.state, now.place, now.eta_s) == ("queued", 3, (1.0, 2.0))
    now = after(step("routed", "p1", vm="vm2", route="vm", attempt=1, waited_ms=40), of=now)
    assert (now.state, now.place, now.eta_s, now.vm) == ("routed", None, None, "vm2")
    now = after(step("running", "p1", vm="vm2", waited_ms=50), of=now)
    assert (now.state, now.waited_ms, now.updated_ms) == ("running", 50, LATER)
    now = after(step("done", "p1", vm="vm2", ran_ms=70), of=now)
    assert (now.state, now.ran_ms) == ("running", 70)  # the answer is still to come
    result = Result(bytes=9, type="image/png")
    now = moves.done(now, answer(ran_ms=71, model="opencv"), result, LATER + 1, DAY)
    assert (now.state, now.ran_ms, now.model, now.result) == ("done", 71, "opencv", result)
    assert (now.ended_ms, now.expires_ms) == (LATER + 1, LATER + 1 + DAY)
    assert now.kept_bytes == JOB_BYTES + 109


def test_a_job_in_the_cloud() -> None:
    now = after(step("routed", "p1", route="cloud"), step("sent", "p1", cost=0.01))
    assert (now.state, now.route, now.cost) == ("routed", "cloud", 0.01)


def test_a_retry_goes_back_into_line_and_on() -> None:
    failing = [step("routed", "p1", vm="vm1", attempt=1), step("running", "p1", vm="vm1", attempt=1)]
    now = after(*failing, step("retried", "p1", vm="vm1", attempt=1, ran_ms=5, reason="it died"))
    assert (now.state, now.vm, now.ran_ms, now.attempt) == ("queued", None, None, 1)
    now = after(step("waiting", "p1", place=1, attempt=2), step("routed", "p2", vm="vm2", attempt=2), of=now)
    assert (now.state, now.vm, now.attempt, now.past) == ("routed", "vm2", 2, ("p1",))


def test_a_vm_that_was_lost_hands_nothing_back_and_the_job_waits_again() -> None:
    now = after(step("routed", "p1", vm="vm1"), step("parked", "p1"))
    assert (now.state, now.vm) == ("queued", None)
    assert after(step("running", "p1", vm="vm1"), of=now) is now  # it lives after all, and is late


def test_a_step_of_a_placement_that_is_past_is_old_news() -> None:
    now = after(step("routed", "p1"), step("routed", "p2"), step("running", "p2"))
    for old in [
        step("running", "p1"),
        step("retried", "p1"),
        step("waiting", "p1"),
        step("waiting"),
        step("routed", "p2"),
    ]:
        assert moved(now, old, LATER) is now


def test_steps_that_were_missed_do_no_harm() -> None:
    assert after(step("running", "p7", vm="vm3")).state == "running"
    assert after(step("retried", "p7"), step("waiting", "p7", place=2)).place == 2


def test_what_runs_without_a_router_has_no_placement() -> None:
    now = after(step("running", vm="vm1"))
    assert (now.state, now.placement) == ("running", None)


@pytest.mark.parametrize("other", [{"user": "ben"}, {"job": "b" * 32}, {"operation": "caption"}])
def test_anothers_event_is_none_of_ours(other: dict[str, str]) -> None:
    now = record()
    assert moved(now, step("running", "p1", **other), LATER) is now


def test_late_events_fill_in_and_change_nothing() -> None:
    ended = moves.refused(record(), answer(content_type=PROBLEM_JSON), Problem.of(Kind.BROKEN_IMAGE, "No."), LATER, DAY)
    now = after(step("failed", "p1", vm="vm9", ran_ms=3, attempt=1), step("running", "p1"), of=ended)
    assert (now.state, now.vm, now.ran_ms, now.attempt) == ("failed", "vm2", 3, 1)
    assert after(step("failed", "p1", vm="vm9", ran_ms=3), of=now) is now


def test_an_answer_that_nobody_could_be_sent_is_waited_for_a_little_longer() -> None:
    now = after(step("routed", "p1"), step("unanswerable", "p1", reason="no queue 'page.1'"))
    assert now.state == "routed"
    assert after(step("unanswerable", "p1"), of=now) is now
    assert moves.overdue(now, LATER + moves.UNANSWERABLE_MS - 1) is None
    problem = moves.overdue(now, LATER + moves.UNANSWERABLE_MS)
    assert problem is not None
    assert "no queue 'page.1'" in problem.detail
    unexplained = after(step("unanswerable", "p1"))
    assert unexplained.given_up_for == "nobody could be sent it"


def test_what_nobody_answers_ends_two_minutes_after_its_deadline() -> None:
    end = record().deadline_ms + moves.GRACE_MS
    assert moves.overdue(record(), end - 1) is None
    waited, ran = moves.overdue(record(), end), moves.overdue(after(step("running", "p1")), end)
    assert waited is not None
    assert ran is not None
    assert (waited.slug, ran.slug) == ("expired", "timed-out")
    assert moves.overdue(moves.failed(record(), waited, end, DAY), end) is None


def test_the_end_is_the_latest_news_though_a_step_was_heard_while_the_result_was_written() -> None:
    running = after(step("running", "p1", vm="vm2"))
    ended = moves.done(running, answer(), Result(bytes=9, type="image/png"), LATER - 1, DAY)
    assert (ended.ended_ms, ended.updated_ms) == (LATER - 1, running.updated_ms + 1)


def test_a_cancelled_job_is_not_a_failed_one() -> None:
    asked = moves.cancelling(record(), LATER)
    assert asked.cancel_asked
    assert moves.cancelling(asked, LATER + 1) is asked
    assert moves.cancelled(asked, LATER, DAY).state == "cancelled"
    assert moves.failed(asked, Problem.of(Kind.EXPIRED, "Late."), LATER, DAY).state == "failed"


@pytest.mark.parametrize(
    ("steps", "placed"),
    [
        ([], False),
        ([step("waiting", place=3)], False),
        ([step("parked")], False),
        ([step("running", vm="vm1")], True),
        ([step("routed", "p1")], True),
        ([step("routed", "p1"), step("retried", "p1")], True),
    ],
)
def test_whether_a_router_has_placed_it(steps: list[Any], placed: bool) -> None:
    assert moves.is_placed(after(*steps)) is placed


def test_a_confirm_that_comes_late_says_nothing_new() -> None:
    now = after(step("routed", "p1"))
    assert moves.sent(now, LATER) is now


def test_an_answer_without_sense_is_a_problem_too() -> None:
    assert "text/html" in moves.unreadable(answer(content_type="text/html")).detail


def test_only_what_lasts_is_worth_keeping() -> None:
    now = after(step("waiting", place=3))
    assert moves.is_worth_keeping(record(), now)
    assert not moves.is_worth_keeping(now, after(step("waiting", place=2, eta_s=(0.0, 1.0)), of=now))
    assert not moves.is_worth_keeping(now, now)


def test_a_new_job_and_the_same_once_more() -> None:
    wish = order(site="local", priority=0, idempotency_key="k", traceparent="00-1-2-01", params={"a": 1})
    seen = Picture(bytes=5, type="image/png")
    first = moves.begun(wish, seen, "f" * 32, NOW, Spans(1000, DAY))
    assert (first.state, first.deadline_ms, first.expires_ms, first.kept_bytes) == (
        "accepted",
        NOW + 1000,
        NOW + DAY,
        JOB_BYTES + 5,
    )
    again = moves.again(first)
    assert (again.retry_of, again.site, again.params, again.idempotency_key) == ("f" * 32, "local", {"a": 1}, None)


def test_what_makes_an_order_another_one() -> None:
    same = moves.fingerprint(order(params={"a": 1, "b": 2}, name="x", idempotency_key="k"), b"1")
    assert same == moves.fingerprint(order(params={"b": 2, "a": 1}, name="y"), b"1")
    others = [order(operation="caption"), order(site="local"), order(priority=0), order(params={"a": 1})]
    marks = [moves.fingerprint(other, b"1") for other in [*others, order()]]
    assert len({*marks, same, moves.fingerprint(order(), b"2")}) == 7


STATES = get_args(JobState)
events = st.builds(
    step,
    st.sampled_from(STATES),
    st.sampled_from([None, "p1", "p2", "p3"]),
    attempt=st.none() | st.integers(0, 3),
    vm=st.sampled_from([None, "vm1", "vm2"]),
    place=st.none() | st.integers(1, 5),
)


@given(st.lists(events, max_size=30))
def test_no_order_of_events_moves_a_job_backwards_or_ends_it(told: list[Any]) -> None:
    now = record()
    for event in told:
        before, now = now, moved(now, event, LATER)
        assert not now.ended
        assert now.placement not in now.past
        if now.placement == before.placement:
            assert now.step >= before.step
        else:
            assert now.placement not in before.past
        assert (now.place is None) or now.state == "queued"
        assert Record.model_validate(json.loads(now.model_dump_json(exclude_none=True))) == now


@given(st.lists(events, max_size=12))
def test_what_is_heard_twice_is_heard_once(told: list[Any]) -> None:
    for event in told:
        once = after(*told, event)
        assert after(event, of=once) == once


@given(st.lists(events, max_size=12))
def test_an_end_is_the_end(told: list[Any]) -> None:
    ended = moves.done(record(), answer(), Result(bytes=1, type="image/png"), LATER, DAY)
    now = after(*told, of=ended)
    assert (now.state, now.result, now.ended_ms, now.vm) == ("done", ended.result, LATER, "vm2")


def test_a_failed_job_that_is_sent_again_begins_anew() -> None:
    problem = Problem.of(Kind.OPERATION_FAILED, "No.")
    told: dict[str, Any] = {
        "placement": "p2",
        "past": ("p1",),
        "step": 3,
        "vm": "vm1",
        "attempt": 3,
        "given_up_ms": 1,
        "cost": 0.1,
    }
    job = moves.failed(record(state="running", cancel_asked=True, **told), problem, NOW, 5)
    line: dict[str, Any] = {"state": "queued", "past": ("p1", "p2"), "replays": 1}
    opened = moves.reopened(job, 1, NOW + 7, Spans(100, 1000))
    assert opened == record(**line, deadline_ms=NOW + 107, expires_ms=NOW + 1007, updated_ms=NOW + 7)
    assert moved(opened, step("running", "p2"), NOW + 8) == opened  # of the placement that failed
    assert moved(opened, step("routed", "p3", vm="vm2"), NOW + 8).vm == "vm2"
    assert moves.reopened(moves.failed(record(), problem, NOW, 5), 1, NOW, Spans(100, 1000)).past == ()
    assert moves.failed_still(opened, job) == job.model_copy(update={"updated_ms": NOW + 7})


def test_each_time_that_a_job_is_sent_again_counts_once() -> None:
    spans, problem = Spans(100, 1000), Problem.of(Kind.OPERATION_FAILED, "No.")
    failed = moves.failed(record(), problem, NOW, 5)
    first = moves.replayed(failed, 1, NOW, spans)
    assert (first.state, first.replays) == ("queued", 1)
    failed_again = moves.failed(first, problem, NOW, 5)
    assert moves.replayed(failed_again, 1, NOW, spans) is failed_again
    assert moves.replayed(failed_again, 2, NOW, spans).replays == 2


def test_a_copy_of_the_answer_that_a_job_failed_by_is_no_answer_to_the_next_time() -> None:
    opened = record(state="queued", replays=1)
    told = [moves.is_answer_to(opened, answer(replays=replays)) for replays in (None, 1, 2)]
    assert told == [False, True, True]
    assert moves.is_answer_to(record(), answer())
