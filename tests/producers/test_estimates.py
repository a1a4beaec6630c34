import random
from math import exp, inf, nan, sqrt

import pytest
from hypothesis import given
from hypothesis import strategies as st

from producers import estimates as module
from producers.estimates import Estimates


def learnt(runs: int, operation: str = "caption", megapixels: float = 2.0, **seconds: float) -> Estimates:
    """Estimates after so many runs on each VM, of so many seconds."""
    estimates = Estimates()
    for _ in range(runs):
        for vm, ran_s in seconds.items():
            estimates.observe(operation, megapixels, vm, ran_s)
    return estimates


@pytest.mark.parametrize(
    ("operation", "megapixels", "seconds"),
    [("sketch", 12, 0.092), ("remove-background", 2, 0.74), ("caption", 12, 2.2), ("never-heard-of", 12, 1.0)],
)
def test_before_any_run_there_is_a_prior(operation: str, megapixels: float, seconds: float) -> None:
    expected = Estimates().predict(operation, megapixels)
    assert expected.p50 == pytest.approx(seconds)
    assert 1.5 < expected.p90 / expected.p50 < 3


@pytest.mark.parametrize("seconds", [0.01, 0.4, 45.0])
def test_constant_times_are_learnt(seconds: float) -> None:
    expected = learnt(200, "sketch", 3.0, vm1=seconds).predict("sketch", 3.0, "vm1")
    assert expected.p50 == pytest.approx(seconds, rel=0.01)
    assert expected.p90 == pytest.approx(seconds, rel=0.1)


def test_an_operation_never_heard_of_is_learnt_within_a_few_runs() -> None:
    assert learnt(5, "restore", vm1=50.0).predict("restore", 2.0).p50 == pytest.approx(50, rel=0.3)


def test_a_mix_of_sizes_is_learnt_each_by_itself() -> None:
    def truth(size: float) -> float:
        return 0.1 + 0.05 * size * sqrt(size)

    estimates = Estimates()
    sizes = [0.25, 0.5, 1, 3, 8, 12, 24, 48]
    for size in sizes * 150:
        estimates.observe("sketch", size, "vm1", truth(size))
    for size in sizes:
        assert estimates.predict("sketch", size, "vm1").p50 == pytest.approx(truth(size), rel=0.1)


def test_a_size_not_seen_lies_between_its_neighbours() -> None:
    estimates = Estimates()
    for size in [1.0, 16.0] * 200:
        estimates.observe("sketch", size, "vm1", size)
    between = estimates.predict("sketch", 4.0, "vm1").p50
    assert 1 < between < 16


def test_a_vm_three_times_as_slow_is_known_from_a_fast_one() -> None:
    estimates = learnt(100, fast=2.0, slow=6.0)
    assert estimates.predict("caption", 2, "fast").p50 == pytest.approx(2, rel=0.02)
    assert estimates.predict("caption", 2, "slow").p50 == pytest.approx(6, rel=0.02)
    assert estimates.factor("caption", "slow") / estimates.factor("caption", "fast") == pytest.approx(3, rel=0.02)


def test_a_vm_not_heard_of_is_a_typical_one() -> None:
    estimates = learnt(100, fast=2.0, slow=6.0)
    assert estimates.factor("caption", "new") == 1
    assert estimates.factor("never-heard-of", "new") == 1
    assert estimates.predict("caption", 2, "new") == estimates.predict("caption", 2) == estimates.typical("caption", 2)
    assert estimates.predict("caption", 2).p50 == pytest.approx(12**0.5, rel=0.02)


def test_the_typical_vm_is_that_of_the_fleet_whichever_runs_most() -> None:
    estimates = Estimates()
    for _ in range(100):
        for _ in range(9):
            estimates.observe("caption", 2, "fast", 2.0)
        estimates.observe("caption", 2, "slow", 6.0)
    assert estimates.predict("caption", 2).p50 == pytest.approx(12**0.5, rel=0.05)


def test_typical_times_factor_is_the_prediction() -> None:
    estimates = learnt(10, fast=2.0, slow=6.0)
    typical, factor = estimates.typical("caption", 2), estimates.factor("caption", "slow")
    expected = estimates.predict("caption", 2, "slow")
    assert (typical.p50 * factor, typical.p90 * factor) == pytest.approx((expected.p50, expected.p90))


def test_slowness_is_told_against_the_other_vms() -> None:
    estimates = learnt(100, fast=2.0, slow=6.0)
    assert estimates.slowness("caption", 2, "slow", 6.0) == pytest.approx(3, rel=0.02)
    assert estimates.slowness("caption", 2, "fast", 2.0) == pytest.approx(1 / 3, rel=0.02)
    assert estimates.slowness("caption", 2, "new", 12**0.5) == pytest.approx(1, rel=0.02)


def test_slowness_of_the_only_vm_is_told_against_itself() -> None:
    assert learnt(100, only=2.0).slowness("caption", 2, "only", 20.0) == pytest.approx(10, rel=0.02)


@pytest.mark.parametrize("sigma", [0.1, 0.5, 1.2])
def test_nine_of_ten_runs_keep_within_p90(sigma: float) -> None:
    draw, estimates, kept = random.Random(7), Estimates(), []
    for run in range(2500):
        size = draw.choice([0.5, 2.0, 8.0, 12.0])
        ran_s = (0.02 + 0.02 * size) * exp(draw.gauss(0, sigma))
        if run >= 500:
            kept.append(ran_s <= estimates.predict("sketch", size, "vm1").p90)
        estimates.observe("sketch", size, "vm1", ran_s)
    assert 0.86 <= sum(kept) / len(kept) <= 0.94


@pytest.mark.parametrize("runs", [3, 100])
def test_one_absurd_run_changes_little(runs: int) -> None:
    estimates = learnt(runs, "sketch", 12.0, vm1=0.065)
    before = estimates.predict("sketch", 12.0, "vm1")
    estimates.observe("sketch", 12.0, "vm1", 60.0)
    after = estimates.predict("sketch", 12.0, "vm1")
    assert after.p50 < 2 * before.p50
    assert after.p90 < 4 * before.p90


def test_a_lasting_change_is_believed() -> None:
    estimates = learnt(500, vm1=2.0)
    for _ in range(60):
        estimates.observe("caption", 2, "vm1", 20.0)
    assert estimates.predict("caption", 2, "vm1").p50 == pytest.approx(20, rel=0.15)


def test_only_the_vms_that_ran_last_are_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "VMS_KEPT", 2)
    estimates = learnt(50, first=2.0, second=6.0)
    estimates.observe("caption", 2, "first", 2.0)
    estimates.observe("caption", 2, "third", 3.0)
    assert estimates.factor("caption", "second") == 1
    assert estimates.factor("caption", "first") < 1
    together = estimates.factor("caption", "first") * estimates.factor("caption", "third")
    assert together == pytest.approx(1), "the mean is that of the VMs kept"


def test_operations_without_end_take_no_memory_without_end(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "OPERATIONS_KEPT", 4)
    estimates = learnt(50, "one-more", vm1=9.0)
    for _ in range(50):
        estimates.observe("one-too-many", 2, "vm1", 9.0)
    assert estimates.predict("one-more", 2).p50 == pytest.approx(9, rel=0.01)
    assert estimates.predict("one-too-many", 2).p50 == 1


def test_soon_enough_is_what_the_longest_of_the_latest_jobs_take_anywhere() -> None:
    estimates = Estimates()
    assert estimates.enough_s(0.1) == 0, "nothing is known of the others"
    for _ in range(100):
        estimates.observe("sketch", 2.0, "vm1", 0.1)
        estimates.observe("caption", 2.0, "vm1", 3.0)
    enough_s = estimates.enough_s(0.1)
    assert enough_s == pytest.approx(3, rel=0.1)
    assert estimates.enough_s(enough_s * 0.49) == enough_s
    assert estimates.enough_s(enough_s * 0.5) == 0, "a long job can't be too soon"


def test_where_all_jobs_are_alike_none_is_short() -> None:
    assert learnt(100, "sketch", vm1=0.1).enough_s(0.1) == 0


def test_long_jobs_of_another_day_are_forgotten() -> None:
    estimates = learnt(100, "caption", vm1=3.0)
    assert estimates.enough_s(0.1) > 2
    for _ in range(600):
        estimates.observe("sketch", 2.0, "vm1", 0.1)
    assert estimates.enough_s(0.1) == 0


anything = st.floats() | st.sampled_from([0.0, -1.0, inf, -inf, nan, 1e308])


@given(st.lists(st.tuples(st.sampled_from(["sketch", "x"]), anything, st.sampled_from("abc"), anything), max_size=40))
def test_whatever_was_observed_predictions_are_sane(runs: list[tuple[str, float, str, float]]) -> None:
    estimates = Estimates()
    for operation, megapixels, vm, ran_s in runs:
        estimates.observe(operation, megapixels, vm, ran_s)
        expected = estimates.predict(operation, megapixels, vm)
        assert 0 < expected.p50 <= expected.p90 < inf
        assert 0 < estimates.slowness(operation, megapixels, vm, ran_s) < inf


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.floats(0.01, 60)), min_size=1, max_size=60))
def test_factors_have_the_mean_one(runs: list[tuple[str, float]]) -> None:
    estimates = Estimates()
    for vm, ran_s in runs:
        estimates.observe("caption", 2, vm, ran_s)
    product = 1.0
    for vm in {vm for vm, _ in runs}:
        product *= estimates.factor("caption", vm)
    assert product == pytest.approx(1)
