"""Corrections, and who is remembered; an item's user is its first letter."""

from collections import Counter

from producers.fairness import IDLE_KEPT, FairQueue
from tests.producers.fair import fill, filled, many, served


def test_longer_than_predicted_is_charged() -> None:
    queue = filled(many("a", 50) + " " + many("b", 50))
    assert served(queue, most=2) == ["a0", "b0"]
    queue.correct("a", 4)
    assert served(queue, most=6) == ["b1", "b2", "b3", "b4", "a1", "b5"]


def test_shorter_than_predicted_is_given_back() -> None:
    queue = filled(many("a", 50) + " " + many("b", 50))
    served(queue, most=2)
    queue.correct("a", -4)
    assert Counter(item[0] for item in served(queue, most=10)) == {"a": 7, "b": 3}


def test_a_credit_and_a_debt_cancel_out() -> None:
    queue = filled(many("a", 50) + " " + many("b", 50))
    queue.correct("a", -4)
    queue.correct("a", 4)
    assert Counter(item[0] for item in served(queue, most=10)) == {"a": 5, "b": 5}


def test_a_credit_is_a_minute_at_most() -> None:
    queue = filled(many("a", 300) + " " + many("b", 300))
    for _ in range(10):
        queue.correct("a", -1000)
    assert Counter(item[0] for item in served(queue, most=100)) == {"a": 80, "b": 20}


def test_a_hung_job_bars_its_user_for_a_minute_at_most() -> None:
    queue = filled(many("a", 300) + " " + many("b", 300))
    served(queue, most=2)
    queue.correct("a", 100_000)
    assert Counter(item[0] for item in served(queue, most=100)) == {"a": 20, "b": 80}


def test_debts_of_who_waits_add_up_and_of_who_comes_back_weigh_a_minute() -> None:
    waits, returns = (filled("a0 a1 " + many("b", 300)) for _ in range(2))
    for queue in (waits, returns):
        served(queue, most=1)
        for _ in range(3):
            queue.correct("a", 60)
    returns.remove("a1")
    fill(returns, "a2")
    assert served(waits).index("a1") == 181
    assert served(returns).index("a2") == 61


def test_a_debt_outlasts_an_empty_queue() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.correct("a", 3)
    fill(queue, "a1 b1 b2 b3 b4 b5")
    assert served(queue) == ["b1", "b2", "b3", "a1", "b4", "b5"]


def test_strangers_are_given_no_credit() -> None:
    queue: FairQueue[str] = FairQueue()
    queue.correct("b", -10)
    fill(queue, "a1 a2 b1 b2")
    assert served(queue) == ["a1", "b1", "a2", "b2"]


def test_credit_of_who_went_away_does_not_put_them_before_the_clock() -> None:
    queue = filled("a0 " + many("b", 50))
    served(queue, most=1)
    queue.correct("a", -50)
    fill(queue, many("a", 20))
    assert Counter(item[0] for item in served(queue, most=20)) == {"a": 10, "b": 10}


def test_users_who_came_once_are_forgotten() -> None:
    queue: FairQueue[int] = FairQueue()
    for number in range(5000):
        queue.add(number, user=str(number), kind="K", seconds=1, interactive=number % 2 == 0)
        queue.serve(lambda _: True)
    assert len(queue._users) + len(queue._idle) < 10


def test_users_are_forgotten_once_the_clock_passed_them() -> None:
    queue = filled(many("b", 3000))
    for number in range(500):
        queue.add(f"a{number}", user=str(number), kind="K", seconds=2)
        served(queue, most=3)
    assert len(queue._users) + len(queue._idle) < 10


def test_users_in_debt_are_remembered_up_to_a_number() -> None:
    queue = filled("a1")
    for number in range(IDLE_KEPT + 500):
        queue.correct(f"user {number}", 5)
    assert len(queue._idle) <= IDLE_KEPT
    assert len(queue._users) == len(queue._idle) + 1
    queue.correct("user 10400", -5)
    fill(queue, "a2")
    queue.add("u", user="user 10400", kind="K", seconds=1)
    assert served(queue) == ["a1", "u", "a2"]
