"""The fair order, told by what is served when; an item's user is its first letter."""

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from producers.fairness import FairQueue
from tests.producers.fair import ARRIVALS, Arrival, fill, filled, many, of_arrivals, served


def test_users_take_turns_and_each_is_first_come_first_served() -> None:
    assert served(filled("a1 a2 a3 b1 c1 c2")) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_the_order_goes_on_where_it_stopped() -> None:
    queue = filled("a1 a2 b1 b2 c1 c2")
    assert [served(queue, most=2) for _ in range(3)] == [["a1", "b1"], ["c1", "a2"], ["b2", "c2"]]


@pytest.mark.parametrize("before", [0, 1, 7, 500])
def test_a_thousand_jobs_of_one_user_delay_another_by_one_at_most(before: int) -> None:
    queue = filled(many("a", 1000), seconds=30)
    served(queue, most=before)
    fill(queue, "b1", seconds=30)
    assert "b1" in served(queue, most=2)


def test_who_has_been_idle_has_saved_nothing_up() -> None:
    queue = filled("b1 " + many("a", 100))
    served(queue, most=51)
    fill(queue, many("b", 20))
    assert Counter(item[0] for item in served(queue, most=20)) == {"a": 10, "b": 10}


def test_long_jobs_get_no_more_seconds_than_short_ones() -> None:
    queue = filled(many("a", 100), seconds=9)
    fill(queue, many("b", 1000), seconds=1)
    counts = Counter(item[0] for item in served(queue, most=200))
    assert counts == {"a": 20, "b": 180}


@settings(max_examples=30)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=6))
def test_equal_demand_over_unequal_jobs_gets_equal_seconds(sizes: list[int]) -> None:
    queue: FairQueue[tuple[int, int]] = FairQueue()
    for user, size in enumerate(sizes):
        for number in range(300 // size):
            queue.add((user, number), user=str(user), kind="K", seconds=size)
    got = [0] * len(sizes)

    def take(item: tuple[int, int]) -> bool:
        if sum(got) >= 200 * len(sizes):
            return False
        got[item[0]] += sizes[item[0]]
        return True

    queue.serve(take)
    assert sum(got) ** 2 / (len(got) * sum(seconds**2 for seconds in got)) >= 0.99  # Jain's index
    assert max(got) - min(got) <= 2 * max(sizes)


def test_weights_are_honoured() -> None:
    queue: FairQueue[str] = FairQueue({"a": 3, "b": 0.5})
    for user in "abc":
        fill(queue, many(user, 100))
    assert Counter(item[0] for item in served(queue, most=90)) == {"a": 60, "b": 10, "c": 20}


@pytest.mark.parametrize("weight", [0, -1, float("inf"), float("nan")])
def test_a_weight_that_means_nothing_is_refused(weight: float) -> None:
    with pytest.raises(ValueError, match="Weights of anna: set numbers above 0"):
        FairQueue({"anna": weight, "bob": 1})


def test_an_item_is_queued_once() -> None:
    queue = filled("a1")
    with pytest.raises(ValueError, match="'a1' is queued already: remove it first"):
        fill(queue, "a1")
    assert served(queue) == ["a1"]


@pytest.mark.parametrize("seconds", [-1, float("inf"), float("nan")])
def test_a_prediction_that_means_nothing_is_refused(seconds: float) -> None:
    queue: FairQueue[str] = FairQueue()
    with pytest.raises(ValueError, match="give a finite number"):
        fill(queue, "a1", seconds=seconds)
    assert (len(queue), queue.queued("a")) == (0, 0)


def test_a_closed_kind_holds_up_nothing_else() -> None:
    queue = filled("a1 a2 b1")
    fill(queue, "a3 b2 c1", kind="L")
    offered: list[str] = []

    def take(item: str) -> bool:
        offered.append(item)
        return item in {"a3", "b2", "c1"}

    queue.serve(take)
    assert offered == ["a1", "a3", "b2", "c1"]  # a1 is declined once, and its like isn't offered again
    assert list(queue) == ["a1", "a2", "b1"]


def test_a_declined_item_closes_its_kind_in_both_tiers() -> None:
    queue = filled("a1")
    fill(queue, "b1", interactive=True)
    offered: list[str] = []

    def decline(item: str) -> bool:
        offered.append(item)
        return False

    queue.serve(decline)
    assert offered == ["b1"]


def test_nothing_is_saved_up_while_a_kind_is_closed() -> None:
    queue = filled(many("a", 50))
    fill(queue, many("b", 100), kind="L")
    queue.serve(lambda item: item[0] == "b" and queue.queued("b") > 50)
    assert queue.queued("b") == 50
    assert Counter(item[0] for item in served(queue, most=20)) == {"a": 10, "b": 10}


def test_interactive_goes_first_and_batch_gets_a_tenth() -> None:
    queue = filled(many("a", 200))
    fill(queue, many("b", 1000), interactive=True)
    order = served(queue, most=500)
    assert order[:10] == [*many("b", 9).split(), "a0"]
    assert Counter(item[0] for item in order) == {"a": 50, "b": 450}


@settings(max_examples=30)
@given(st.integers(1, 30), st.integers(1, 30), st.booleans())
def test_the_tenth_is_counted_in_seconds(interactive: int, batch: int, same_user: bool) -> None:
    queue: FairQueue[tuple[bool, int]] = FairQueue()
    for number in range(400):
        queue.add((True, number), user="a", kind="K", seconds=interactive, interactive=True)
        queue.add((False, number), user="a" if same_user else "b", kind="K", seconds=batch)
    got = {True: 0, False: 0}

    def take(item: tuple[bool, int]) -> bool:
        if sum(got.values()) >= 400:
            return False
        got[item[0]] += interactive if item[0] else batch
        return True

    queue.serve(take)
    assert abs(got[False] - sum(got.values()) / 10) <= max(interactive, batch)


def test_batch_has_everything_while_nothing_interactive_waits_and_owes_nothing_for_it() -> None:
    queue = filled(many("a", 100))
    assert len(served(queue, most=50)) == 50
    fill(queue, many("b", 100), interactive=True)
    assert Counter(item[0] for item in served(queue, most=20)) == {"a": 2, "b": 18}


def test_a_new_batch_job_earns_its_tenth_anew() -> None:
    queue = filled("a1")
    fill(queue, many("b", 100), interactive=True)
    served(queue, most=8)
    queue.remove("a1")
    fill(queue, "a2")
    assert served(queue, most=10)[-1] == "a2"


def test_interactive_seconds_count_against_the_users_share_of_batch() -> None:
    queue = filled(many("a", 50) + " " + many("b", 50))
    fill(queue, "a-1 a-2 a-3 a-4", interactive=True)
    assert served(queue, most=10) == ["a-1", "a-2", "a-3", "a-4", "b0", "b1", "b2", "b3", "a0", "b4"]


def test_removed_items_are_gone() -> None:
    queue = filled("a1 a2 a3 b1")
    assert queue.remove("a2")
    assert queue.remove("b1")
    assert not queue.remove("b1")
    assert ("a1" in queue, "a2" in queue, len(queue), queue.queued("b")) == (True, False, 2, 0)
    assert served(queue) == ["a1", "a3"]
    assert not queue.remove("a1")


def test_take_may_remove_what_it_is_offered() -> None:
    queue = filled("a1 a2 b1 b2")
    served(queue, most=2)

    def expired_or_taken(item: str) -> bool:
        return item == "b2" or queue.remove(item)

    queue.serve(expired_or_taken)
    assert (len(queue), queue.seconds("a")) == (0, 0)


def test_take_may_remove_the_last_of_another_kind() -> None:
    queue = filled("a1 a2")
    fill(queue, "b1", kind="L")
    taken: list[str] = []

    def take(item: str) -> bool:
        queue.remove("b1")
        taken.append(item)
        return True

    queue.serve(take)
    assert taken == ["a1", "a2"]


def test_an_item_stays_when_take_fails() -> None:
    queue = filled("a1 b1")

    def take(item: str) -> bool:
        raise RuntimeError(item)

    with pytest.raises(RuntimeError):
        queue.serve(take)
    assert served(queue) == ["a1", "b1"]


def test_what_users_have_queued() -> None:
    queue = filled("a1 a2 b1", seconds=2)
    fill(queue, "c1", seconds=10, interactive=True)
    fill(queue, "b2", seconds=0.5, interactive=True)
    assert queue.busiest(2) == [("c", 1, 10.0), ("a", 2, 4.0)]
    assert queue.busiest(9)[2:] == [("b", 2, 2.5)]
    assert (queue.queued("b"), queue.seconds("b")) == (2, 2.5)
    assert (queue.queued("nobody"), queue.seconds("nobody")) == (0, 0.0)


@given(ARRIVALS, st.data())
def test_nothing_is_lost_or_doubled_and_users_keep_their_order(arrivals: list[Arrival], data: st.DataObject) -> None:
    queue = of_arrivals(arrivals)
    everything = list(queue)
    removed = [item for item in everything if data.draw(st.booleans())]
    assert all(queue.remove(item) for item in removed)
    first = served(queue, most=data.draw(st.integers(0, 60)))
    assert len(queue) == len(everything) - len(removed) - len(first)
    for user in "abcd":
        mine = [item for item in queue if item[0] == user]
        assert queue.queued(user) == len(mine)
        assert queue.seconds(user) == sum(arrivals[int(item[2:])][2] for item in mine)
    order = first + served(queue)
    assert Counter(order) + Counter(removed) == Counter(everything)
    for like in {(item[:2], arrivals[int(item[2:])][3]) for item in order}:
        numbers = [int(item[2:]) for item in order if (item[:2], arrivals[int(item[2:])][3]) == like]
        assert numbers == sorted(numbers)
    assert not queue._batch.lines
    assert not queue._interactive.lines


@given(ARRIVALS, st.sets(st.sampled_from("KL")))
def test_closed_kinds_wait_and_all_others_are_served(arrivals: list[Arrival], closed: set[str]) -> None:
    queue = of_arrivals(arrivals)
    offered: Counter[str] = Counter()

    def take(item: str) -> bool:
        offered[item[1]] += 1
        return item[1] not in closed

    queue.serve(take)
    assert {item[1] for item in queue} <= closed
    assert all(offered[kind] <= 1 for kind in closed)


def test_many_kinds_are_offered_in_the_order_of_their_users() -> None:
    queue: FairQueue[str] = FairQueue()
    for number in range(60):
        queue.add(f"{'abc'[number % 3]}{number}", user="abc"[number % 3], kind=number % 5, seconds=1)
    order = served(queue)
    assert ["".join(sorted(item[0] for item in order[at : at + 3])) for at in range(0, 60, 3)] == ["abc"] * 20
