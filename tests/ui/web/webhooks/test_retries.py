import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.web.webhooks.retries import JITTER, WAITS_S, Outcome, described, next_attempt_ms, why_switched_off


def test_the_waits_grow_over_most_of_a_day() -> None:
    assert [next_attempt_ms(failed, 1000, 0.0) for failed in range(1, 9)] == [
        *(1000 + wait * 1000 for wait in (5, 30, 120, 600, 3600, 18_000, 43_200)),
        None,
    ]


@given(st.integers(1, len(WAITS_S)), st.floats(0, 1, exclude_max=True))
def test_chance_adds_a_little_and_takes_nothing(failed: int, chance: float) -> None:
    wait_s = WAITS_S[failed - 1]
    due_ms = next_attempt_ms(failed, 0, chance)
    assert due_ms is not None
    assert wait_s * 1000 <= due_ms <= wait_s * 1000 * (1 + JITTER)


@pytest.mark.parametrize(
    ("outcome", "said"),
    [
        (Outcome(204, None, 3), "arrived (204)"),
        (
            Outcome(302, None, 3),
            "The receiver sends us elsewhere (302); we follow no redirects. Give its final address.",
        ),
        (Outcome(500, None, 3), "The receiver answered 500."),
        (Outcome(None, "No answer within 10 s.", 10_000), "No answer within 10 s."),
    ],
)
def test_an_outcome_in_words(outcome: Outcome, said: str) -> None:
    assert described(outcome) == said


def test_a_webhook_is_switched_off_when_the_receiver_wants_no_more_or_never_answers() -> None:
    failed, gone = Outcome(500, None, 1), Outcome(410, None, 1)
    assert why_switched_off(failed, 4) is None
    assert why_switched_off(gone, 0) == "The receiver answered 410: it wants no more."
    assert why_switched_off(failed, 5) == "5 deliveries in a row were given up after 8 attempts each."
