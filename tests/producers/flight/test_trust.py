"""When a replay is to be believed, and what speaks against it."""

from dataclasses import replace

import pytest

from producers.flight.outcomes import Day, Ended, Figures, figures
from producers.flight.recording import Header, RecordedCloud, RecordedJob, RecordedLoad, RecordedRouter, Recording
from producers.flight.trust import Errors, warnings
from producers.flight.what_if import WhatIf
from tests.producers.flight.days import BEGINS_MS, job, told, vm

EXACT = Errors(0.0, 0.01, -0.02, 0.0)
HOUR_MS = 3_600_000


def of(took_s: float, overflow: float = 0.0) -> Figures:
    ended = tuple(Ended(n, float(n), "u", "sketch", "vm", took_s, 0.0, took_s) for n in range(10))
    return replace(figures(Day(ended, 0, 0, 1.0, 1.0)), overflow=overflow)


def good(**changes: object) -> Recording:
    jobs = tuple(job(number, number) for number in range(1000))
    loads = (RecordedLoad("vm1", BEGINS_MS, (5,), (5,), (0,)),)
    recording = replace(told(*jobs), header=Header(BEGINS_MS, BEGINS_MS + HOUR_MS), loads=loads)
    return replace(recording, **changes)  # type: ignore[arg-type]


def with_jobs(*jobs: RecordedJob) -> Recording:
    return good(jobs=(*jobs, *good().jobs[len(jobs) :]))


def test_errors_are_shares_of_what_was() -> None:
    errors = Errors.of(of(2.2, 0.5), of(2.0, 0.4))
    assert (errors.p50, errors.p95, errors.p99, errors.overflow) == pytest.approx((0.1, 0.1, 0.1, 0.1))


def test_an_error_that_is_large_is_said() -> None:
    assert EXACT.large == ()
    assert Errors(0.0, 0.25, -0.3, -0.06).large == (
        "the 95th percentile by +25%",
        "the 99th percentile by -30%",
        "the overflow by -6.0 points",
    )
    assert len(Errors.of(of(1.0), figures(Day((), 0, 0, 1.0, 1.0))).large) == 4


def test_nothing_speaks_against_a_good_recording() -> None:
    assert warnings(good(), EXACT, WhatIf(cloud=False)) == []


@pytest.mark.parametrize(
    ("recording", "said"),
    [
        (good(header=Header(BEGINS_MS, BEGINS_MS + HOUR_MS, complete=False)), "The recording is incomplete."),
        (
            good(header=Header(BEGINS_MS, BEGINS_MS + HOUR_MS, complete=False, missing=("the end",))),
            "The recording is incomplete: the end.",
        ),
        (good(header=Header(BEGINS_MS, BEGINS_MS + HOUR_MS // 2)), "The recording is short: 1,000 jobs in 0.5 h."),
        (with_jobs(*[job(n, 1, end=None) for n in range(30)]), "The end of 30 of 1,000 jobs was not seen."),
        (
            with_jobs(*[job(n, 1, megapixels=None) for n in range(30)]),
            "The size of 30 of 1,000 pictures is not known: they count as of 4 megapixels.",
        ),
        (good(routers=()), "No router told of its rule: played under the default one."),
        (
            good(routers=(*good().routers, RecordedRouter(BEGINS_MS + 5, "p2c", {"slots": 1.0}))),
            "The rule was changed while it was recorded: played under one, p2c.",
        ),
        (
            good(routers=(replace(good().routers[0], paused=("caption",)),)),
            "Operations were paused while it was recorded: played as if they were not.",
        ),
        (
            good(vms=(vm(), vm(slots=4, at_s=50.0), vm("vm2"))),
            "The slots of vm1 were changed while it was recorded: played with the last ones.",
        ),
        (good(loads=()), "There are no heartbeats in it: the VMs are taken to do nothing but their jobs."),
        (
            good(clouds=(RecordedCloud(BEGINS_MS, "ready"),)),
            "No job was answered by the cloud: its times and prices are what its bridge told, or a guess.",
        ),
    ],
)
def test_what_is_missing_is_said(recording: Recording, said: str) -> None:
    assert warnings(recording, EXACT, WhatIf()) == [said]


def test_what_is_asked_for_may_not_be_known() -> None:
    asked = WhatIf(cloud=True, user_weights={"berta": 2.0, "anna": 1.0})
    assert warnings(good(), Errors(0.5, 0.0, 0.0, 0.0), asked) == [
        "Played unchanged, the day comes out differently: the median by +50%.",
        "No cloud was recorded: its times and prices are what overspill takes before it knows better.",
        "Nobody of the name berta sent a job.",
    ]


def lined_up(number: int, arrived_s: float, routed_s: float) -> RecordedJob:
    return job(number, arrived_s, routed_s - arrived_s + 1.0, routed_ms=BEGINS_MS + int(routed_s * 1000))


def test_jobs_that_come_as_others_are_placed_had_lain_in_their_lane_unseen() -> None:
    at_once = [lined_up(number, 0.0, number + 1) for number in range(8)]
    one_by_one = [lined_up(number, number - 6.99, number + 1) for number in range(8, 1000)]
    (said,) = warnings(good(jobs=(*at_once, *one_by_one)), EXACT, WhatIf())
    assert said.startswith("992 of 1,000 jobs were taken up as others of their user were placed")
    assert said.endswith("More VMs or a cloud look better than they would be, fewer worse.")


def test_jobs_that_are_known_to_come_as_others_leave_had_lain_nowhere() -> None:
    """Somebody who sends a job as an answer comes, say."""
    at_once = [lined_up(number, 0.0, number + 1) for number in range(8)]
    one_by_one = [replace(lined_up(number, number - 6.99, number + 1), lain_ms=0) for number in range(8, 1000)]
    assert warnings(good(jobs=(*at_once, *one_by_one)), EXACT, WhatIf()) == []


def test_what_is_still_in_line_as_the_recording_ends_changes_no_figure() -> None:
    at_once = [replace(lined_up(number, 0.0, number + 1), lain_ms=0) for number in range(500)]
    waiting = [
        replace(lined_up(number, number - 499 + 0.01, 0.0), end=None, ended_ms=None, routed_ms=None)
        for number in range(500, 530)
    ]
    said = warnings(good(jobs=(*at_once, *waiting, *good().jobs[-470:])), EXACT, WhatIf())
    assert said == ["The end of 30 of 1,000 jobs was not seen."]


def test_a_line_that_was_seen_to_its_end_is_believed() -> None:
    jobs = tuple(lined_up(number, number / 1000, number) for number in range(1000))
    assert warnings(good(jobs=jobs), EXACT, WhatIf()) == []
