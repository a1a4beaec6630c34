"""Attempts that came to nothing, as they travel with a job."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.attempts import HISTORY_KEPT, HISTORY_REASON
from bus.messages import Job
from tests.bus.test_messages import DEEP, JOB, NOW_MS, sent


def failed_times(times: int) -> Job:
    job = JOB
    for attempt in range(1, times + 1):
        job = job.model_copy(update={"attempt": attempt}).failed(at_ms=NOW_MS, reason="é" * 1000)
    return job


def test_a_long_reason_is_cut_and_the_first_attempt_is_kept_with_the_latest() -> None:
    job = failed_times(HISTORY_KEPT + 3)
    assert [told.attempt for told in job.history] == [1, *range(5, HISTORY_KEPT + 4)]
    assert [told.left_out for told in job.history[:3]] == [None, 3, None]
    assert {len(told.reason) for told in job.history} == {HISTORY_REASON}


@given(st.integers(0, 40))
def test_every_attempt_is_kept_or_counted(times: int) -> None:
    job = failed_times(times)
    assert len(job.history) + sum(told.left_out or 0 for told in job.history) == times
    assert Job.from_message(job.to_message("vm.vm2", NOW_MS), NOW_MS).history == job.history


@pytest.mark.parametrize(
    "wrong",
    [
        *(None, 7, ["x"], "", "{", "[1]", b"\xff", DEEP),
        '[{"attempt": -1, "at_ms": 1, "reason": ""}]',
        '[{"attempt": 1, "at_ms": -1, "reason": ""}]',
        f'[{{"attempt": 1, "at_ms": {2**62 + 1}, "reason": ""}}]',
        '[{"attempt": 1, "at_ms": 1, "reason": 7}]',
    ],
)
def test_a_history_that_nobody_of_ours_wrote_is_read_as_none(wrong: object) -> None:
    assert sent(headers={"history": wrong}).history == ()


def test_a_history_that_is_too_long_is_cut() -> None:
    written = [{"attempt": n, "at_ms": 1, "reason": "lost"} for n in range(50)]
    history = sent(headers={"history": json.dumps(written)}).history
    assert [told.attempt for told in history] == [0, *range(41, 50)]
    assert history[1].left_out == 40


def test_a_reason_that_is_too_long_costs_no_more_than_its_end() -> None:
    written = [{"attempt": 1, "at_ms": 1, "reason": "é" * 400}, {"attempt": 2, "at_ms": 2, "reason": "lost"}]
    assert [told.reason for told in sent(headers={"history": json.dumps(written)}).history] == ["é" * 300, "lost"]


def test_a_history_may_be_given_as_it_is_or_as_it_travels() -> None:
    told = {"attempt": 1, "at_ms": 2, "reason": "lost"}
    given = Job.model_validate({**JOB.model_dump(), "history": [told]})
    assert given == Job.model_validate({**JOB.model_dump(), "history": json.dumps([told])})
    assert [attempt.reason for attempt in given.history] == ["lost"]


# Time to live
