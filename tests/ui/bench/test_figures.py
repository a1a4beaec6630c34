import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.bench.figures import Figures, Seen, figures_of, jain
from ui.bench.schedule import Due
from ui.bench.tally import LOST, Reply, Tally


def ended(*jobs: tuple[str, float, Reply], lag_s: float = 0.0) -> Tally:
    """Jobs of users, each with its latency and end; one due a second."""
    tally = Tally()
    for number, (user, took_s, reply) in enumerate(jobs):
        due = Due(number, float(number), "sketch", user, 0)
        tally.send(due, number + lag_s)
        tally.end(due, number + lag_s, reply, number + took_s)
    tally.stop(float(len(jobs)))
    return tally


def figures(*jobs: tuple[str, float, Reply], lag_s: float = 0.0, **seen: float) -> Figures:
    return figures_of(ended(*jobs, lag_s=lag_s), Seen.model_validate(seen))


VM, CLOUD = Reply("vm"), Reply("cloud", cost=0.25)


def test_each_operation_and_place_has_its_row_and_all_is_all() -> None:
    told = figures(("anna", 0.1, VM), ("anna", 0.5, CLOUD), ("ben", 60.0, Reply(problem=LOST)), ("ben", 0.2, VM))
    assert [(row.operation, row.place, row.jobs) for row in told.rows] == [
        ("all", "all", 4),
        ("sketch", "cloud", 1),
        ("sketch", "lost", 1),
        ("sketch", "vm", 2),
    ]
    assert told.rows[0].latency["max"] == pytest.approx(60, rel=0.001)
    assert told.cloud_share == pytest.approx(1 / 3)
    assert (told.cost, told.good, told.lost) == (0.25, 3, 1)


def test_problems_are_told_by_their_slug_the_most_frequent_first() -> None:
    told = figures(*[("anna", 0.1, Reply(problem=slug)) for slug in ("expired", "too-fast", "too-fast", LOST)])
    assert list(told.problems.items()) == [("too-fast", 2), ("expired", 1)]
    assert (told.lost, told.good, told.offered, told.achieved_rate) == (1, 0, 4, 0.0)


def test_of_nothing_there_are_figures_too() -> None:
    told = figures()
    assert (told.offered_rate, told.achieved_rate, told.cloud_share, told.rows[0].latency) == (0, 0, 0, {})
    assert told.fairness.slowest is None
    assert told.generator.kept_up


def test_what_the_client_saw_is_told() -> None:
    told = figures(("anna", 1.0, VM), duplicates=2, strangers=1, cpu=0.5)
    assert (told.duplicates, told.strangers, told.generator.cpu) == (2, 1, 0.5)


def test_a_user_who_waits_longer_is_named() -> None:
    fair = figures(
        ("anna", 0.1, VM), ("ben", 0.9, VM), ("ben", 1.1, VM), ("eve", 0.1, Reply(problem="too-fast"))
    ).fairness
    assert (fair.users, fair.slowest) == (3, "ben")
    assert [fair.fastest_s, fair.slowest_s] == pytest.approx([0.1, 1.0])
    assert fair.answers == pytest.approx(4 / (3 * 2))  # two users have all of theirs, one has nothing
    assert fair.waiting == pytest.approx(1.1**2 / (2 * 1.01))


@given(st.lists(st.floats(0, 1e6), min_size=1, max_size=30))
def test_jain_s_index_is_between_one_nth_and_one(shares: list[float]) -> None:
    assert 1 / len(shares) - 1e-9 <= jain(shares) <= 1


def test_jain_s_index_is_one_when_all_have_as_much() -> None:
    assert jain([3, 3, 3]) == pytest.approx(1)
    assert jain([1, 0, 0, 0]) == pytest.approx(0.25)
    assert jain([]) == 1.0


@pytest.mark.parametrize(
    ("lag_s", "took_s", "cpu", "kept_up"),
    [
        (0.036, 0.1, 0.01, True),  # what a small shared machine does to anybody
        (0.06, 0.1, 0.1, False),
        (0.06, 2.0, 0.1, True),  # a twentieth of what jobs take changes nothing
        (0.0, 0.1, 0.95, False),
    ],
)
def test_a_generator_that_is_late_or_busy_says_so(lag_s: float, took_s: float, cpu: float, kept_up: bool) -> None:
    assert figures(("anna", took_s, VM), lag_s=lag_s, cpu=cpu).generator.kept_up == kept_up
