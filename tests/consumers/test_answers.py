"""What makes a repeat, which answers are kept, and what a child's reply means."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import Job
from bus.problems import Kind, Problem
from consumers.answers import (
    ENTRY_BYTES,
    AnswerCache,
    Ended,
    Failed,
    Kept,
    fault_of,
    identity,
    outcome_of,
    problem_of,
    refusal,
)

JOB = Job(id="j1", operation="sketch", user="anna", body=b"picture", params={"a": 1, "b": 2}, reply_to="r")
LIMIT = 100


def other(**changes: Any) -> Job:
    return JOB.model_copy(update=changes)


def kept(body: bytes) -> Kept:
    return Kept(body, "image/png", {})


@pytest.mark.parametrize(
    "alike", [other(), other(reply_to="elsewhere"), other(attempt=3), other(params={"b": 2, "a": 1}), other(priority=9)]
)
def test_a_repeat_is_known_wherever_it_comes_from(alike: Job) -> None:
    assert identity(alike) == identity(JOB)


@pytest.mark.parametrize(
    "unlike",
    [
        other(id="j2"),
        other(user="bert"),
        other(operation="caption"),
        other(body=b"another picture"),
        other(params={"a": 1}),
        other(id="j1\x00", user="anna"),
    ],
)
def test_another_job_is_never_taken_for_it(unlike: Job) -> None:
    assert identity(unlike) != identity(JOB)


def test_an_answer_is_found_again() -> None:
    cache = AnswerCache[Kept](10_000)
    cache.keep("a", kept(b"1"))
    assert cache.get("a") == kept(b"1")
    assert cache.get("b") is None


def test_the_oldest_answers_go_first() -> None:
    cache = AnswerCache[Kept](2 * (ENTRY_BYTES + 100))
    for key in ("a", "b", "c"):
        cache.keep(key, kept(bytes(100)))
    assert [key for key in "abc" if cache.get(key)] == ["b", "c"]


def test_a_new_answer_takes_the_place_of_its_older_self() -> None:
    cache = AnswerCache[Kept](ENTRY_BYTES + 100)
    cache.keep("a", kept(bytes(100)))
    cache.keep("a", kept(b"new"))
    assert (cache.get("a"), len(cache)) == (kept(b"new"), 1)


def test_a_memory_of_nothing_keeps_nothing() -> None:
    cache = AnswerCache[Kept](0)
    cache.keep("a", kept(b""))
    assert len(cache) == 0


@given(st.lists(st.tuples(st.sampled_from("abcdef"), st.integers(0, 3000))), st.integers(0, 9000))
def test_no_more_is_kept_than_allowed(answers: list[tuple[str, int]], most: int) -> None:
    cache = AnswerCache[Kept](most)
    for key, size in answers:
        cache.keep(key, kept(bytes(size)))
    left = [answer for key in "abcdef" if (answer := cache.get(key))]
    assert sum(ENTRY_BYTES + len(answer.body) for answer in left) <= most
    assert len(left) == len(cache)


def test_a_job_runs_unless_it_is_too_late_or_was_tried_too_often() -> None:
    assert fault_of(other(attempt=3, deadline_ms=1001), 1000, 3) is None
    assert fault_of(other(), 1000, 3) is None
    late = fault_of(other(deadline_ms=1000), 1000, 3)
    often = fault_of(other(attempt=4), 1000, 3)
    assert late is not None
    assert often is not None
    assert (late.slug, often.slug, often.limit) == ("expired", "too-many-attempts", 3)
    assert "3 attempts" in often.detail


def test_a_result_keeps_its_type_and_its_model() -> None:
    head = {"status": "done", "content_type": "image/png", "model": "m", "ran_ms": 7}
    assert outcome_of(JOB, head, b"x", LIMIT) == Ended(Kept(b"x", "image/png", {"model": "m"}), 7)


def test_a_result_over_the_limit_is_a_problem_with_a_way_out() -> None:
    head = {"status": "done", "content_type": "image/png", "model": "m", "ran_ms": 7}
    outcome = outcome_of(JOB, head, bytes(LIMIT + 1), LIMIT)
    assert isinstance(outcome, Ended)
    told = problem_of(outcome.kept)
    assert told is not None
    assert (told.slug, told.limit) == ("too-many-bytes", LIMIT)
    assert "jpeg" in (told.remedy or "")


def test_what_is_wrong_with_the_job_is_worth_keeping() -> None:
    problem = Problem.of(Kind.NOT_AN_IMAGE, "It is a letter.")
    outcome = outcome_of(JOB, {"status": "bad", "problem": problem.model_dump(), "ran_ms": 1}, b"", LIMIT)
    assert isinstance(outcome, Ended)
    assert problem_of(outcome.kept) == problem.model_copy(update={"instance": "urn:overspill:job:j1"})
    assert outcome.kept == refusal(JOB, problem)


def test_what_is_wrong_with_us_is_not() -> None:
    outcome = outcome_of(JOB, {"status": "failed", "detail": "MemoryError: ", "ran_ms": 1}, b"", LIMIT)
    assert isinstance(outcome, Failed)
    assert (outcome.problem.slug, outcome.ran_ms) == ("operation-failed", 1)
    assert "sketch: MemoryError" in outcome.problem.detail


def test_a_job_that_took_all_memory_is_told_from_one_that_failed() -> None:
    outcome = outcome_of(JOB, {"status": "exhausted", "detail": "too much", "ran_ms": 1}, b"", LIMIT)
    assert isinstance(outcome, Failed)
    assert outcome.problem.slug == "out-of-memory"


@pytest.mark.parametrize(
    "nonsense", [{}, {"status": "done"}, {"status": "odd", "ran_ms": 1}, {"status": "bad", "problem": 1, "ran_ms": 1}]
)
def test_nonsense_is_told_from_a_reply(nonsense: dict[str, Any]) -> None:
    with pytest.raises((KeyError, TypeError, ValueError)):
        outcome_of(JOB, nonsense, b"", LIMIT)


def test_a_result_tells_no_problem() -> None:
    assert problem_of(kept(b"{}")) is None
