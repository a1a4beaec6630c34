import pytest

from bus.events import JobEvent
from tests.ui.top.frames import job, ran
from ui.top.rates import MOST_KEPT, Rates, Step, step_of


def rates(*told: tuple[float, JobEvent], since: float = 0.0) -> Rates:
    found = Rates(since)
    for at, event in told:
        step = step_of(event, at)
        if step is not None:
            found.add(step)
    return found


def test_what_comes_in_and_goes_out_is_counted_by_operation_and_place() -> None:
    told = rates(
        (1, job("routed", vm="vm1", route="vm", attempt=1)),
        (55, job("routed", vm="vm1", route="vm", attempt=1)),
        (56, job("routed", route="cloud", attempt=1, operation="caption")),
        (57, ran()),
        (58, job("failed", operation="knit")),
    ).told(60)
    assert [(rate.operation, rate.place, rate.taken, rate.ended, rate.failed) for rate in told] == [
        ("all", "", (0.2, 3 / 60), (0.2, 2 / 60), 1),
        ("caption", "cloud", (0.1, 1 / 60), (0.0, 0.0), 0),
        ("knit", "router", (0.0, 0.0), (0.1, 1 / 60), 1),
        ("sketch", "vm", (0.1, 2 / 60), (0.1, 1 / 60), 0),
    ]


def test_the_median_and_the_95th_of_100() -> None:
    told = rates(*((50, ran(ran_ms=number * 10, waited_ms=number)) for number in range(1, 101))).told(60)
    assert told[0].took_s == pytest.approx((0.55, 1.045))
    assert told[0].waited_s == pytest.approx((0.05, 0.095))


def test_a_minute_later_nothing_is_left_of_it() -> None:
    found = rates((0.5, ran()))
    assert found.told(60)[0].ended[1] > 0
    (nothing,) = found.told(60.5)
    assert (nothing.ended, nothing.took_s, nothing.waited_s) == ((0.0, 0.0), None, None)


def test_before_a_minute_is_over_it_counts_what_there_was() -> None:
    assert rates((100.5, ran()), (103.0, ran()), since=100.0).told(104.0)[0].ended == (0.5, 0.5)
    assert rates((100.1, ran()), since=100.0).told(100.1)[0].ended == (1.0, 1.0)


@pytest.mark.parametrize(
    ("event", "step"),
    [
        (job("routed", vm="vm1", route="vm", attempt=2), None),
        (job("running", vm="vm1"), None),
        (job("replayed"), None),
        (job("done", vm="vm1", waited_ms=5), Step(1, "done", "sketch", "vm")),
        (job("done", route="cloud", ran_ms=1500), Step(1, "done", "sketch", "cloud", None, 1.5)),
        (job("unanswerable", vm="vm1"), Step(1, "failed", "sketch", "vm")),
    ],
    ids=["a further attempt", "running", "replayed", "kept answer", "unknown wait", "nobody to answer"],
)
def test_what_counts(event: JobEvent, step: Step | None) -> None:
    assert step_of(event, 1) == step


def test_the_past_comes_before_what_was_heard_and_what_both_tell_counts_once() -> None:
    found = rates((101.0, ran()), since=100.0)
    past = [step for at in (99.0, 95.0, 101.0) if (step := step_of(ran(), at)) is not None]
    found.precede(past, since=45.0)
    assert found.told(105.0)[0].ended == (0.2, 3 / 60)
    assert found.told(156.0)[0].ended == (0.0, 2 / 60)


def test_a_flood_is_bounded() -> None:
    found = Rates(0)
    for _ in range(MOST_KEPT + 5):
        found.add(Step(1, "in", "sketch", "vm"))
    assert found.told(2)[0].taken[0] == MOST_KEPT / 2


def test_the_past_may_hold_ends_of_one_moment_with_and_without_a_run() -> None:
    found = rates(since=50.0)
    ends = [step_of(ran(), 49.0), step_of(job("done", vm="vm1"), 49.0)]
    found.precede((step for step in ends if step is not None), since=0.0)
    assert found.told(50.0)[0].ended == (0.2, 2 / 50)
