"""The window's line: who is next, who joins later, who leaves without being served."""

from typing import Any

import pytest

from bus.events import UserBacklog
from bus.messages import Job
from producers.commands import Held
from producers.fairness import Place
from producers.line import SHOWN_USERS, Line
from producers.placement import Wish

NOW_MS = 1_000_000_000_000


def held(ticket: int, user: str = "anna", *, arrived_s: float = 0.0, seconds: float = 1.0, **job: Any) -> Held:
    given: dict[str, Any] = {"id": f"j{ticket}", "operation": "sketch", "reply_to": "answers", "body": b"picture"} | job
    one = Job(user=user, **given)
    return Held(ticket, "lane.00", one, Wish(one.operation), seconds, arrived_s)


def line(*jobs: Held) -> Line:
    made = Line({})
    for job in jobs:
        made.add(job, now_s=0.0)
    return made


def served(line: Line, now_s: float = 0.0, most: int = 99) -> list[int]:
    """The tickets taken, in order, by somebody who has room for so many."""
    taken: list[int] = []

    def take(held: Held) -> bool:
        if len(taken) < most:
            taken.append(held.ticket)
            return True
        return False

    line.serve(now_s, take)
    return taken


def test_a_users_jobs_are_served_first_come_first_served() -> None:
    jobs = line(*(held(ticket) for ticket in (3, 1, 4, 2)))
    assert (served(jobs, most=3), len(jobs)) == ([3, 1, 4], 1)
    assert (served(jobs), len(jobs)) == ([2], 0)


def test_users_take_turns_however_many_jobs_one_has() -> None:
    jobs = line(*(held(ticket) for ticket in range(4)), held(10, "ben"), held(11, "ben"))
    assert served(jobs) == [0, 10, 1, 11, 2, 3]


def test_a_user_of_twice_the_weight_is_served_twice_as_often() -> None:
    jobs = Line({"ben": 2.0})
    for number in range(6):
        jobs.add(held(number), 0.0)
        jobs.add(held(10 + number, "ben"), 0.0)
    first = served(jobs, most=6)
    assert (sum(ticket >= 10 for ticket in first), len(first)) == (4, 6)


def test_interactive_jobs_go_first() -> None:
    assert served(line(held(0), held(1, "ben", priority=5))) == [1, 0]


def test_a_declined_job_holds_up_its_like_and_nobody_else() -> None:
    jobs = line(held(0), held(1), held(2, operation="caption"), held(3, "ben"))
    offered: list[int] = []

    def take(held: Held) -> bool:
        offered.append(held.ticket)
        return held.job.operation == "caption"

    jobs.serve(0.0, take)
    assert offered == [0, 2]
    assert (jobs.get(2), len(jobs)) == (None, 3)
    assert served(jobs) == [3, 0, 1]  # anna has had her turn


def offered(line: Line) -> list[int]:
    """The tickets that somebody is asked about who takes none: one of each kind."""
    asked: list[int] = []

    def take(held: Held) -> bool:
        asked.append(held.ticket)
        return False

    line.serve(0.0, take)
    return asked


def test_a_picture_too_large_for_the_cloud_holds_up_only_its_like() -> None:
    jobs = line(
        held(0, body=bytes(101)), held(1, body=bytes(100)), held(2, body=b"", claim=f"pictures/20300131/{0:032}")
    )
    assert offered(jobs) == [0]
    jobs.bound(100)
    assert sorted(offered(jobs)) == [0, 1]
    jobs.bound(99)
    assert sorted(offered(jobs)) == [0, 2]
    jobs.bound(9_500_000)
    assert sorted(served(jobs)) == [0, 1, 2]


def test_jobs_of_one_size_keep_their_order_when_the_bound_moves() -> None:
    jobs = line(*(held(ticket, body=bytes(200)) for ticket in range(3)))
    jobs.add(held(3, body=bytes(200)), 0.0, delay_s=5.0)
    for largest in (100, 100, 300, 150):
        jobs.bound(largest)
    assert (served(jobs), served(jobs, 5.0)) == ([0, 1, 2], [3])


def test_a_job_that_came_home_from_the_cloud_holds_up_only_its_like() -> None:
    assert offered(line(held(0)._replace(stays_s=5.0), held(1))) == [0, 1]


def test_a_job_with_a_delay_joins_once_it_is_over() -> None:
    jobs = line(held(0))
    jobs.add(held(1), 0.0, delay_s=2.0)
    assert (len(jobs), jobs.queued("anna"), jobs.place(1)) == (2, 1, None)
    assert served(jobs, 1.9) == [0]
    assert jobs.get(1) is not None
    assert served(jobs, 2.0) == [1]


def test_a_job_that_joins_late_stands_behind_those_who_are_there() -> None:
    jobs = line()
    jobs.add(held(0), 0.0, delay_s=1.0)
    jobs.add(held(1), 0.5)
    assert served(jobs, 1.0) == [1, 0]


def test_a_job_that_goes_while_it_is_delayed_never_joins() -> None:
    jobs = line()
    jobs.add(held(0), 0.0, delay_s=1.0)
    assert jobs.remove(0) is not None
    assert (served(jobs, 5.0), len(jobs)) == ([], 0)


def test_a_job_comes_back_under_its_ticket() -> None:
    jobs = line(held(0, deadline_ms=5000))
    assert served(jobs) == [0]
    jobs.add(held(0, deadline_ms=5000), 1.0, delay_s=0.5)
    assert (served(jobs, 1.4), served(jobs, 1.5)) == ([], [0])
    assert jobs.expired(6000) == []


def test_what_is_removed_is_gone_and_removed_once() -> None:
    jobs = line(held(0), held(1))
    assert jobs.remove(0) == held(0)
    assert jobs.remove(0) is None
    assert served(jobs) == [1]


def test_a_place_in_line_tells_the_computing_ahead() -> None:
    jobs = line(held(0, seconds=2.0), held(1, seconds=3.0), held(2))
    assert [jobs.place(ticket) for ticket in (0, 1, 2)] == [Place(1, 0.0), Place(2, 2.0), Place(3, 5.0)]
    served(jobs, most=1)
    assert (jobs.place(0), jobs.place(2)) == (None, Place(2, 3.0))


def test_jobs_expire_where_they_stand_the_most_overdue_first() -> None:
    jobs = line(held(0, deadline_ms=3000), held(1, deadline_ms=1000), held(2))
    jobs.add(held(3, deadline_ms=2000), 0.0, delay_s=60.0)
    assert jobs.expired(999) == []
    assert [gone.ticket for gone in jobs.expired(2000)] == [1, 3]
    assert jobs.expired(2000) == []
    assert (served(jobs, 60.0), jobs.expired(9000)) == ([0, 2], [])


def test_jobs_held_for_long_are_taken_out_the_oldest_first() -> None:
    jobs = line(*(held(ticket, arrived_s=float(ticket)) for ticket in range(4)))
    jobs.remove(1)
    assert [gone.ticket for gone in jobs.held_since(3.0)] == [0, 2]
    assert jobs.held_since(3.0) == []
    assert served(jobs) == [3]
    assert jobs.held_since(99.0) == []


def test_jobs_are_found_by_user_and_id() -> None:
    jobs = line(held(2, id="same"), held(0, id="same"), held(1), held(3, "ben", id="same"))
    assert [found.ticket for found in jobs.find("anna", "same", NOW_MS)] == [0, 2]
    assert jobs.find("anna", "same", NOW_MS) == []
    assert jobs.find("cleo", "same", NOW_MS) == []
    assert served(jobs) == [1, 3]


def test_a_job_that_waits_for_its_next_attempt_is_found_too() -> None:
    jobs = line()
    jobs.add(held(0), 0.0, delay_s=60.0)
    assert [found.ticket for found in jobs.find("anna", "j0", NOW_MS)] == [0]
    assert served(jobs, 99.0) == []


def test_what_a_user_has_in_line_is_counted() -> None:
    jobs = line(held(0, seconds=2.0), held(1, seconds=0.5), held(2, "ben"))
    assert (jobs.queued("anna"), jobs.seconds("anna")) == (2, 2.5)
    assert (jobs.queued("cleo"), jobs.seconds("cleo")) == (0, 0.0)
    rows = (UserBacklog(user="anna", queued=2, seconds=2.5), UserBacklog(user="ben", queued=1, seconds=1.0))
    assert jobs.busiest() == rows


def test_the_computing_of_all_that_is_here_is_summed() -> None:
    jobs = line(held(0, seconds=0.1), held(1, seconds=0.2), held(2, "ben", seconds=2.0))
    jobs.add(held(3, seconds=4.0), 0.0, delay_s=60.0)
    assert jobs.total_s == pytest.approx(6.3)
    jobs.remove(3)
    served(jobs, most=1)
    assert jobs.total_s == pytest.approx(2.2)
    served(jobs)
    assert jobs.total_s == 0.0


def test_so_many_users_are_shown_and_no_more() -> None:
    jobs = line(*(held(number, f"u{number}", seconds=number) for number in range(SHOWN_USERS + 5)))
    assert [row.user for row in jobs.busiest()] == [f"u{number}" for number in range(SHOWN_USERS + 4, 4, -1)]


def test_a_user_whose_job_took_longer_than_foretold_waits_for_others() -> None:
    jobs = line(*(held(ticket) for ticket in range(4)), *(held(10 + ticket, "ben") for ticket in range(3)))
    assert served(jobs, most=1) == [0]
    jobs.correct("anna", 1.5)
    assert served(jobs, most=4) == [10, 11, 12, 1]


def test_deadlines_of_jobs_that_have_left_are_forgotten() -> None:
    jobs = line()
    for ticket in range(200):
        jobs.add(held(ticket, deadline_ms=NOW_MS), 0.0)
        jobs.remove(ticket)
    assert len(jobs._deadlines) < 100
