"""Answers kept for repeats, bounded in bytes and in time, and repeats that wait for the first one's end."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.repeats import FOLLOWERS, Followers, KeptAnswers, repeated
from bus.answers import Answer
from bus.problems import Kind, Problem
from consumers.answers import ENTRY_BYTES
from tests.bridge.test_tickets import ticket

JOB = ticket().job


def answer(body: bytes = b"drawn") -> Answer:
    return Answer.to(
        JOB, content_type="image/png", body=body, route="cloud", vm="rev-1", ran_ms=250, waited_ms=40, cost=0.001
    )


def refusal(kind: Kind) -> Answer:
    return Answer.refusal(JOB, Problem.of(kind, "It is so."))


def test_an_answer_is_kept_for_its_time() -> None:
    kept, first = KeptAnswers(kept_s=10.0), answer()
    kept.keep("a", first, 100.0)
    assert (kept.get("a", 110.0), kept.get("b", 100.0)) == (first, None)
    assert kept.get("a", 110.1) is None
    kept.keep("a", first, 120.0)
    assert kept.get("a", 130.0) == first


def test_a_job_that_nobody_knows_by_its_content_is_not_kept() -> None:
    kept = KeptAnswers()
    kept.keep(None, answer(), 1.0)
    assert len(kept) == 0


@pytest.mark.parametrize(
    ("kind", "is_kept"),
    [
        (Kind.NOT_AN_IMAGE, True),
        (Kind.BAD_FIELD, True),
        (Kind.TOO_MANY_PIXELS, True),
        (Kind.NO_SUCH_CLAIM, False),
        (Kind.EXPIRED, False),
        (Kind.TIMED_OUT, False),
        (Kind.CANCELLED, False),
        (Kind.OPERATION_FAILED, False),
        (Kind.OUT_OF_MEMORY, False),
    ],
)
def test_only_problems_that_another_run_would_find_again_are_kept(kind: Kind, is_kept: bool) -> None:
    kept = KeptAnswers()
    kept.keep("a", refusal(kind), 1.0)
    assert (kept.get("a", 1.0) is not None) is is_kept


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers(0, 5000)), max_size=30), st.integers(0, 12_000))
def test_what_is_kept_is_bounded_and_the_latest_is_kept_before_all(script: list[tuple[str, int]], most: int) -> None:
    kept = KeptAnswers(most)
    for key, size in script:
        kept.keep(key, answer(bytes(size)), 1.0)
        there = [found for name in "abcd" if (found := kept.get(name, 1.0)) is not None]
        assert sum(ENTRY_BYTES + len(each.body) for each in there) <= most
        assert (kept.get(key, 1.0) is not None) is (ENTRY_BYTES + size <= most)
        assert len(kept) == len(there)


def test_a_repeat_is_told_of_the_same_run_under_its_own_correlation_and_costs_nothing() -> None:
    said = repeated(answer(), JOB.model_copy(update={"correlation_id": "second", "attempt": 3}))
    assert (said.job, said.correlation_id, said.body, said.content_type) == ("j1", "second", b"drawn", "image/png")
    assert (said.route, said.vm, said.ran_ms, said.waited_ms, said.cost) == ("cloud", "rev-1", 250, 40, 0.0)


def test_repeats_wait_until_the_first_has_ended_and_so_many_at_most() -> None:
    followers: Followers[int] = Followers()
    assert [followers.add("ab"[number % 2], number) for number in range(FOLLOWERS + 1)] == [True] * FOLLOWERS + [False]
    assert followers.freed({"a", "b"}.__contains__) == []
    assert followers.freed({"a"}.__contains__) == [1, 3]
    assert followers.add("c", 9)
    assert followers.freed(set[str]().__contains__) == [0, 2, 9]
    assert followers.freed(set[str]().__contains__) == []
