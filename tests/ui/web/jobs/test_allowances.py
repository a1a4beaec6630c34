import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.errors import BadInput
from ui.web.jobs.allowances import Allowances, Most
from ui.web.jobs.record import JOB_BYTES, Counts


def small() -> Allowances:
    return Allowances(Most(user_jobs=2, user_bytes=2 * JOB_BYTES + 100, all_bytes=3 * JOB_BYTES + 150))


def test_a_user_with_enough_jobs_waits_and_others_do_not() -> None:
    allowances = Allowances(Most(user_jobs=2, user_bytes=1 << 20, all_bytes=1 << 30))
    allowances.begin("anna")
    allowances.begin("anna")
    with pytest.raises(BadInput) as error:
        allowances.begin("anna")
    assert (error.value.problem.slug, error.value.problem.limit) == ("too-many-jobs", 2)
    assert error.value.problem.retry_after_s
    allowances.begin("ben")
    allowances.end("anna")
    allowances.begin("anna")


def test_a_user_may_not_fill_the_disk_nor_all_of_them_together() -> None:
    allowances = small()
    allowances.take("anna", 2 * JOB_BYTES + 100)
    with pytest.raises(BadInput) as error:
        allowances.take("anna", 1)
    assert error.value.problem.slug == "too-much-kept"
    with pytest.raises(BadInput) as error:
        allowances.take("ben", JOB_BYTES + 51)
    assert (error.value.problem.slug, error.value.problem.status) == ("not-ready", 503)
    allowances.take("ben", JOB_BYTES + 50)


def test_a_job_takes_some_disk_however_small_its_picture() -> None:
    allowances = Allowances(Most(user_jobs=100, user_bytes=3 * JOB_BYTES, all_bytes=1 << 30))
    for _ in range(3):
        allowances.begin("anna")
        allowances.end("anna")
    with pytest.raises(BadInput) as error:
        allowances.check("anna")
    assert error.value.problem.slug == "too-much-kept"
    allowances.begin("ben")
    allowances.undo("ben")
    assert allowances.counts("ben") == Counts(0, 0)


def test_results_are_counted_whatever_the_bounds() -> None:
    allowances = small()
    allowances.count("anna", size=4 * JOB_BYTES)
    with pytest.raises(BadInput, match="too"):
        allowances.check("anna")
    with pytest.raises(BadInput, match="disk"):
        allowances.check("ben")


@given(st.lists(st.tuples(st.sampled_from(["anna", "ben", "cleo"]), st.integers(1, 60_000)), max_size=30))
def test_no_bound_is_passed_and_all_that_is_given_back_is_free_again(taken: list[tuple[str, int]]) -> None:
    allowances, held = small(), []
    for user, size in taken:
        try:
            allowances.take(user, size)
        except BadInput:
            continue
        held.append((user, size))
        assert allowances.counts(user).kept_bytes <= 2 * JOB_BYTES + 100
        assert sum(size for _, size in held) <= 3 * JOB_BYTES + 150
    for user, size in held:
        allowances.count(user, size=-size)
    assert {allowances.counts(user) for user, _ in taken} <= {Counts(0, 0)}
