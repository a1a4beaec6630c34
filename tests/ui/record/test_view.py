from rich.console import Console

from producers.flight.recording import Header
from tests.ui.record.test_summary import DONE, IN_CLOUD, REFUSED
from ui.record.summary import Summary
from ui.record.view import ended, progress


def shown(summary: Summary, header: Header) -> str:
    console = Console(width=100, highlight=False)
    with console.capture() as said:
        console.print(ended(summary, header, "day.jsonl.gz"))
    return "\n".join(line.rstrip() for line in said.get().splitlines())


def test_what_is_in_it_and_what_is_not() -> None:
    summary = Summary()
    summary.add([DONE, DONE, DONE, IN_CLOUD, REFUSED])
    text = shown(summary, Header(0, 7_500_000, missing=("the first 3 h 0 min: nothing is known of them",)))
    assert text.splitlines() == [
        "day.jsonl.gz: 5 jobs, 0 VMs in 2 h 5 min",
        "operation  place         jobs  failed  unfinished     p50     p95     p99",
        "sketch     VMs              3       0           0  1.00 s  1.00 s  1.00 s",
        "sketch     cloud            1       0           0  3.98 s  3.98 s  3.98 s",
        "sketch     never placed     1       1           0",
        "all                         5       1           0  1.00 s  3.98 s  3.98 s",
        "25.0% of the placed jobs in the cloud, for $0.25 (estimated)",
        "Left out: the first 3 h 0 min: nothing is known of them",
    ]


def test_one_row_needs_no_sum_and_no_job_no_table() -> None:
    one = Summary()
    one.add([DONE])
    assert "all" not in shown(one, Header(0, 1_000))
    assert shown(Summary(), Header(0, 1_000)) == "day.jsonl.gz: 0 jobs, 0 VMs in 1.00 s"


def test_how_far_it_has_come() -> None:
    assert progress(Summary(), 65_000) == "0 jobs, 0 VMs, 1 min 5 s so far"
