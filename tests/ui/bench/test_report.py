import pytest

from tests.ui.bench.test_figures import CLOUD, VM, ended, figures
from tests.ui.bench.test_search import step
from ui.bench.report import lines, progress, search_lines, shown
from ui.bench.search import GENERATOR
from ui.bench.tally import LOST, Reply, Tally


def test_a_report_reads_like_this() -> None:
    seen = {"cpu": 0.123, "duplicates": 1}
    told = figures(
        ("anna", 0.1, VM), ("anna", 0.5, CLOUD), ("ben", 60.0, Reply(problem=LOST)), ("ben", 0.2, VM), **seen
    )
    assert lines(told) == [
        "seconds                           jobs     50 %     90 %     95 %     99 %   99.9 %     most",
        "latency, from when jobs were due",
        "  all                                4    0.200     60.0     60.0     60.0     60.0     60.0",
        "  sketch in the cloud                1    0.500    0.500    0.500    0.500    0.500    0.500",
        "  sketch lost                        1     60.0     60.0     60.0     60.0     60.0     60.0",
        "  sketch on VMs                      2    0.100    0.200    0.200    0.200    0.200    0.200",
        "service, from when they were sent",
        "  all                                4    0.200     60.0     60.0     60.0     60.0     60.0",
        "",
        "throughput  1.00 jobs/s offered, 0.75 achieved, over 4.0 s",
        "answers     3 good, 0 failed, 1 lost, 1 twice",
        "cloud       33.3 % of the good answers, $0.25 estimated",
        "fairness    Jain's index over 2 users: 0.900 of answers, 0.962 of waiting; means from 0.200 s to 0.300 s (anna)",  # noqa: E501 (as it is printed)
        "generator   sent 0.0000 s late at the median, 0.0000 s at 99 %, 0.0000 s at most; 12 % of a core",
    ]


def test_problems_strangers_and_an_early_end_are_told_where_there_are_any() -> None:
    told = figures(("anna", 0.1, Reply(problem="expired")), strangers=2).model_copy(update={"under_way": 3})
    text = "\n".join(lines(told))
    assert "answers     0 good, 1 failed, 0 lost, 0 twice, 2 to jobs that were not this bench's, or came after" in text
    assert "; stopped with 3 under way" in text
    assert "problems    1 expired" in text
    assert "fairness    nobody got an answer" in text


def test_a_generator_that_was_late_is_told_of_loudly() -> None:
    assert "IT DID NOT KEEP UP" in "\n".join(lines(figures(("anna", 0.5, VM), lag_s=0.4)))


def test_of_nothing_it_says_so() -> None:
    assert lines(figures())[-1].startswith("generator   sent nothing that counts")


@pytest.mark.parametrize(("seconds", "text"), [(None, "-"), (0.01234, "0.0123"), (1.2345, "1.234"), (61.24, "61.2")])
def test_times_are_as_exact_as_they_matter(seconds: float | None, text: str) -> None:
    assert shown(seconds) == text


def test_a_search_tells_its_steps_and_the_last_good_rate() -> None:
    assert search_lines([step(10), step(15, "over 2 s")], 2.0) == [
        "   jobs/s   offered  achieved   95 %, s",
        "    10.00     10.00     10.00     1.000  good",
        "    15.00     15.00     15.00     1.000  over 2 s",
        "",
        "capacity    10.00 jobs/s, 95 % answered within 2 s; there:",
        "",
    ]


def test_a_search_that_found_nothing_says_so() -> None:
    assert "capacity    not found" in search_lines([step(10, "over 2 s")], 2.0)[-2]


def test_a_generator_at_its_end_is_not_taken_for_the_system_s_capacity() -> None:
    told = search_lines([step(10), step(15, "over 2 s"), step(12, GENERATOR)], 2.0)
    assert told[-2].startswith("capacity    10.00 jobs/s or more: above it the generator, not the system, did not")
    assert "within 2 s" in search_lines([step(10), step(15, GENERATOR), step(12, "over 2 s")], 2.0)[-2]


def test_the_line_on_the_way_tells_of_the_latest_jobs() -> None:
    assert progress(Tally(), 1.2) == "   1 s: 0 sent, 0 under way, 0 failed or lost"
    told = progress(ended(("anna", 0.1, VM), ("anna", 0.1, Reply(problem="expired"))), 12)
    assert told == "  12 s: 2 sent, 0 under way, 1 failed or lost; lately 0.100 s, 95 % 0.100 s, waiting for the rest"
