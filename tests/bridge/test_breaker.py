"""The breaker: it opens when the cloud fails, tries again with one job, and is not misled by late verdicts."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from bridge.breaker import REASON, Breaker


def failing(times: int = 5, now: float = 0.0, **settings: Any) -> Breaker:
    """A breaker that saw so many failures at once."""
    breaker = Breaker(**settings)
    for _ in range(times):
        breaker.failed("503 from Pub/Sub", now)
    return breaker


def on_trial() -> Breaker:
    """A breaker that opened at 0, and sent its trial at 5."""
    breaker = failing()
    assert breaker.may_send(5.0)
    breaker.sent(5.0)
    return breaker


# Opening


def test_a_new_breaker_is_closed_and_lets_any_number_go() -> None:
    breaker = Breaker()
    for _ in range(100):
        assert breaker.may_send(0.0)
        breaker.sent(0.0)
    assert (breaker.state(0.0), breaker.reason) == ("closed", None)


def test_five_failures_in_a_row_open_it_and_the_reason_is_told() -> None:
    assert failing(4).state(0.0) == "closed"
    breaker = failing(5)
    assert (breaker.state(0.0), breaker.reason) == ("open", "503 from Pub/Sub")
    assert not breaker.may_send(4.9)


def test_a_long_reason_is_cut() -> None:
    breaker = Breaker(failures_to_open=1)
    breaker.failed("x" * 10_000, 0.0)
    assert breaker.reason == "x" * REASON


def test_a_row_of_failures_opens_it_whatever_went_well_before() -> None:
    breaker = Breaker()
    for second in range(50):
        breaker.succeeded(second)
    for _ in range(5):
        breaker.failed("gone", 50.0)
    assert breaker.state(50.0) == "open"


def test_scattered_failures_open_it_when_they_are_half_of_all() -> None:
    breaker = Breaker()
    for second in range(4):
        breaker.succeeded(second)
        breaker.failed("503", second)
    breaker.succeeded(4.0)
    assert breaker.state(4.0) == "closed"
    breaker.failed("503", 4.0)
    assert breaker.state(4.0) == "open"


def test_scattered_failures_among_more_successes_do_not() -> None:
    breaker = Breaker()
    for second in range(50):
        breaker.failed("503", second)
        breaker.succeeded(second)
        breaker.succeeded(second)
    assert breaker.state(50.0) == "closed"


@pytest.mark.parametrize(("apart_s", "state"), [(15.0, "open"), (16.0, "closed")])
def test_failures_count_for_a_minute(apart_s: float, state: str) -> None:
    breaker = Breaker()
    for n in range(5):
        breaker.failed("503", n * apart_s)
    assert breaker.state(4 * apart_s) == state


# The trial


def test_after_its_delay_one_job_goes_as_a_trial() -> None:
    breaker = failing()
    assert (breaker.state(4.999), breaker.may_send(4.999)) == ("open", False)
    assert (breaker.state(5.0), breaker.may_send(5.0)) == ("half-open", True)
    breaker.sent(5.0)
    assert (breaker.state(100.0), breaker.may_send(100.0)) == ("half-open", False)


def test_a_trial_that_succeeds_closes_it() -> None:
    breaker = on_trial()
    breaker.succeeded(6.0, sent=5.0)
    assert (breaker.state(6.0), breaker.may_send(6.0), breaker.reason) == ("closed", True, None)


def test_failures_before_a_trial_that_succeeded_are_forgotten() -> None:
    breaker = on_trial()
    breaker.succeeded(6.0, sent=5.0)
    for _ in range(4):
        breaker.failed("503", 6.0, sent=6.0)
    assert breaker.state(6.0) == "closed"


def test_a_trial_that_fails_opens_it_for_twice_as_long_up_to_a_bound() -> None:
    breaker, now, delays = failing(longest_delay_s=30.0), 0.0, list[float]()
    for delay_s in (5.0, 10.0, 20.0, 30.0, 30.0):
        assert breaker.state(now + delay_s - 0.001) == "open"
        now += delay_s
        assert breaker.may_send(now)
        breaker.sent(now)
        breaker.failed("still 503", now, sent=now)
        delays.append(delay_s)
    assert breaker.reason == "still 503"
    breaker.sent(now + 30.0)
    breaker.succeeded(now + 30.0, sent=now + 30.0)
    for _ in range(5):
        breaker.failed("503 again", now + 31.0)
    assert breaker.state(now + 35.9) == "open"
    assert breaker.state(now + 36.0) == "half-open"


def test_a_failure_of_no_job_counts_against_a_half_open_breaker() -> None:
    breaker = failing()
    breaker.failed("the stream of answers broke", 5.0)
    assert (breaker.state(14.9), breaker.state(15.0)) == ("open", "half-open")
    assert breaker.reason == "the stream of answers broke"


def test_a_trial_that_tells_nothing_makes_room_for_another() -> None:
    breaker = on_trial()
    breaker.undecided(6.0, sent=5.0)
    assert (breaker.state(6.0), breaker.may_send(6.0)) == ("half-open", True)


def test_a_trial_without_a_verdict_counts_as_failed_whenever_one_asks() -> None:
    asked, breaker = failing(patience_s=60.0), failing(patience_s=60.0)
    asked.sent(5.0)
    breaker.sent(5.0)
    assert asked.state(64.9) == "half-open"
    assert [asked.state(now) for now in (65.0, 74.9, 75.0)] == ["open", "open", "half-open"]
    assert breaker.state(74.9) == "open"
    assert breaker.reason == "no answer to a trial in 60 s"
    assert breaker.may_send(75.0)


def test_sending_while_it_is_open_is_no_trial() -> None:
    breaker = failing()
    breaker.sent(1.0)
    assert breaker.may_send(5.0)


# Late verdicts


@pytest.mark.parametrize("at", [0.0, 4.0, 5.0, 6.0])
def test_jobs_sent_before_it_opened_say_nothing_whatever_becomes_of_them(at: float) -> None:
    breaker = failing()
    for _ in range(50):
        breaker.failed("overdue", at, sent=-1.0)
        breaker.succeeded(at, sent=-1.0)
        breaker.undecided(at, sent=-1.0)
    assert breaker.state(at) == ("open" if at < 5 else "half-open")
    assert breaker.state(5.0) == "half-open"


def test_late_verdicts_do_not_end_a_trial() -> None:
    breaker = on_trial()
    breaker.failed("overdue", 6.0, sent=-1.0)
    breaker.succeeded(6.0, sent=-1.0)
    breaker.undecided(6.0, sent=-1.0)
    assert (breaker.state(6.0), breaker.may_send(6.0)) == ("half-open", False)


def test_jobs_lost_before_it_opened_do_not_open_it_again() -> None:
    breaker = on_trial()
    breaker.succeeded(6.0, sent=5.0)
    for _ in range(50):
        breaker.failed("overdue", 300.0, sent=-1.0)
    assert breaker.state(300.0) == "closed"


@pytest.mark.parametrize("clocks_apart_s", [-2.0, 2.0])
def test_clocks_that_differ_by_seconds_mix_up_neither_the_trial_nor_the_late(clocks_apart_s: float) -> None:
    breaker = on_trial()
    breaker.failed("overdue", 6.0, sent=0.0 + clocks_apart_s)
    assert not breaker.may_send(6.0)
    breaker.succeeded(6.0, sent=5.0 + clocks_apart_s)
    assert breaker.state(6.0) == "closed"


# Properties


PATIENCE_S = 100.0


class OneTrialAtATime(RuleBasedStateMachine):
    """Jobs are sent when the breaker lets them, and come back in any order, good or bad, or not at all."""

    def __init__(self) -> None:
        super().__init__()
        self.breaker = Breaker(failures_to_open=3, window_s=20.0, longest_delay_s=40.0, patience_s=PATIENCE_S)
        self.now = 0.0
        self.out: list[float] = []
        self.since_half_open: list[float] = []

    @rule(seconds=st.floats(0.001, 30.0))
    def time_passes(self, seconds: float) -> None:
        self.now += seconds
        # One that is out for longer than the breaker's patience has its verdict by that.
        self.since_half_open = [sent for sent in self.since_half_open if self.now < sent + PATIENCE_S]

    @rule(times=st.integers(1, 5))
    def jobs_want_to_go(self, times: int) -> None:
        for _ in range(times):
            if self.breaker.may_send(self.now):
                self.breaker.sent(self.now)
                self.out.append(self.now)
                if self.breaker.state(self.now) == "half-open":
                    self.since_half_open.append(self.now)

    @precondition(lambda self: self.out)
    @rule(data=st.data(), verdict=st.sampled_from(["failed", "succeeded", "undecided"]))
    def a_verdict_comes(self, data: st.DataObject, verdict: str) -> None:
        sent = self.out.pop(data.draw(st.integers(0, len(self.out) - 1)))
        before = self.breaker.state(self.now)
        match verdict:
            case "failed":
                self.breaker.failed("503", self.now, sent=sent)
            case "succeeded":
                self.breaker.succeeded(self.now, sent=sent)
            case _:
                self.breaker.undecided(self.now, sent=sent)
        if sent in self.since_half_open:
            self.since_half_open.remove(sent)
            after = {"failed": "open", "succeeded": "closed", "undecided": "half-open"}[verdict]
            assert self.breaker.state(self.now) == after
        elif before != "closed":
            assert self.breaker.state(self.now) == before

    @invariant()
    def one_at_the_most_is_out_between_half_open_and_a_verdict(self) -> None:
        assert len(self.since_half_open) <= 1

    @invariant()
    def it_tells_why_it_is_not_closed(self) -> None:
        assert (self.breaker.reason is None) == (self.breaker.state(self.now) == "closed")

    @invariant()
    def it_never_stays_shut_for_good(self) -> None:
        if self.breaker.state(self.now) == "open":
            assert self.breaker.state(self.now + 40.0) == "half-open"


TestOneTrialAtATime = OneTrialAtATime.TestCase


@given(st.lists(st.tuples(st.floats(0.0, 5.0), st.integers(1, 3), st.integers(0, 3)), max_size=60))
def test_while_most_succeed_it_stays_closed(steps: list[tuple[float, int, int]]) -> None:
    breaker, now = Breaker(), 0.0
    for gap, good, bad in steps:
        now += gap
        for _ in range(good):
            breaker.succeeded(now)
        for _ in range(min(bad, good - 1)):
            breaker.failed("503", now)
        assert breaker.state(now) == "closed"
