import pytest

from bridge.envelope import Parcel
from bridge.pool.errand import End, Errand
from bridge.pool.wire import Answered, Failed, NotServed, NotTaken, Outcome, OutOfReach
from tests.bridge.cloud_suite import job

A, B = "https://a.example", "https://b.example"
JOB = job("ticket-1")
ANSWER = Parcel(b"drawn", {"kind": "answer", "ticket": "ticket-1"})
BROKE, BUSY = Failed("failed: it says 500"), NotTaken("has no room (it says 503)", 1.0)
OTHER = NotServed("does not serve sketch")
FAR = OutOfReach("has no way to its picture")


def told(reason: str) -> Parcel:
    return Parcel(JOB.body, {**JOB.attributes, "reason": reason})


def returned(reason: str) -> Parcel:
    return Parcel(JOB.body, {**JOB.attributes, "kind": "returned", "reason": reason, "served": "yes"})


@pytest.mark.parametrize(
    ("outcomes", "end"),
    [
        ([Answered(ANSWER)], End(ANSWER)),
        ([BROKE, BUSY, OTHER, Answered(ANSWER)], End(ANSWER)),
        ([BROKE, BROKE], None),
        ([BROKE, BROKE, BROKE], End(told("it failed: it says 500"), dead=True)),
        ([BUSY, BUSY], None),
        ([BUSY, BUSY, BUSY], End(returned(f"{A} has no room (it says 503)"))),
        ([BROKE, BUSY, BROKE, BUSY], None),
        ([FAR, FAR, FAR], End(returned(f"{A} has no way to its picture"))),
        ([BUSY, BUSY, BROKE, BROKE, BROKE], End(told("it failed: it says 500"), dead=True)),
        ([OTHER] * 9, None),
    ],
    ids=str,
)
def test_what_outcomes_come_to(outcomes: list[Outcome], end: End | None) -> None:
    errand = Errand(JOB, most=3)
    *before, last = [errand.after(A, outcome) for outcome in outcomes]
    assert before == [None] * len(before)
    assert last == end


def test_it_remembers_who_was_tried() -> None:
    errand = Errand(JOB, most=9)
    for url in (A, B, A):
        errand.after(url, BROKE)
    assert errand.tried == {A: 2, B: 1}


def test_it_knows_what_is_to_be_done() -> None:
    assert Errand(JOB, most=3).operation == "sketch"


def test_a_job_goes_home_as_it_came() -> None:
    assert Errand(JOB, most=3).home("nobody serves it") == End(returned("nobody serves it"))
