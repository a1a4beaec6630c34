from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from producers.fairness import RoundRobin


def served(window: RoundRobin[str], most: int = 10_000) -> list[str]:
    taken: list[str] = []

    def take(item: str) -> bool:
        if len(taken) == most:
            return False
        taken.append(item)
        return True

    window.serve(take)
    return taken


def filled(**items: str) -> RoundRobin[str]:
    window: RoundRobin[str] = RoundRobin()
    for user, ids in items.items():
        for item in ids.split():
            window.add(user, item)
    return window


def test_users_take_turns_and_each_is_first_come_first_served() -> None:
    assert served(filled(anna="a1 a2 a3", bob="b1", carl="c1 c2")) == ["a1", "b1", "c1", "a2", "c2", "a3"]


def test_a_thousand_jobs_of_one_user_delay_another_by_one() -> None:
    window = filled(anna=" ".join(f"a{n}" for n in range(1000)))
    served(window, most=3)
    window.add("bob", "b1")
    assert served(window, most=2)[1] == "b1"


def test_the_round_goes_on_where_it_stopped() -> None:
    window = filled(anna="a1 a2", bob="b1 b2", carl="c1 c2")
    assert served(window, most=2) == ["a1", "b1"]
    assert served(window, most=2) == ["c1", "a2"]


def test_a_declined_item_is_passed_over_for_the_same_users_next() -> None:
    window = filled(anna="caption sketch1 sketch2")
    taken: list[str] = []

    def take(item: str) -> bool:
        if item == "caption":
            return False
        taken.append(item)
        return True

    window.serve(take)
    assert taken == ["sketch1", "sketch2"]
    assert list(window) == ["caption"]


def test_discarded_items_are_gone_and_told() -> None:
    window = filled(anna="a1 a2", bob="b1")
    assert window.discard(lambda item: item != "a2") == ["a1", "b1"]
    assert list(window) == ["a2"]
    assert len(window) == 1


@given(st.lists(st.tuples(st.sampled_from("abcd"), st.integers()), max_size=60), st.integers(0, 60))
def test_nothing_is_lost_doubled_or_unfair(arrivals: list[tuple[str, int]], most: int) -> None:
    window: RoundRobin[tuple[str, int, int]] = RoundRobin()
    for place, (user, number) in enumerate(arrivals):
        window.add(user, (user, number, place))
    taken: list[tuple[str, int, int]] = []

    def take(item: tuple[str, int, int]) -> bool:
        if len(taken) == most:
            return False
        taken.append(item)
        return True

    window.serve(take)
    assert Counter([*taken, *window]) == Counter((u, n, p) for p, (u, n) in enumerate(arrivals))
    for user in "abcd":
        places = [place for owner, _, place in taken if owner == user]
        assert places == sorted(places)
    counts = Counter(owner for owner, _, _ in taken)
    left = {owner for owner, _, _ in window}
    # Whoever still waits was served no more than one time less than anybody.
    assert all(max(counts.values()) - counts[user] <= 1 for user in left if counts)
