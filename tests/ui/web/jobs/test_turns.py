from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from ui.web.jobs.turns import Turns


def test_users_take_turns_each_in_their_own_order() -> None:
    turns = Turns()
    for job in ["a1", "a2", "a3", "b1"]:
        turns.add(job[0], job)
    assert [turns.next() for _ in range(5)] == ["a1", "b1", "a2", "a3", None]


def test_what_was_sent_in_vain_goes_before_its_users_others() -> None:
    turns = Turns()
    for job in ["a1", "a2"]:
        turns.add("a", job)
    assert turns.next() == "a1"
    turns.add("a", "a1", first=True)
    assert [turns.next(), turns.next()] == ["a1", "a2"]


@given(st.lists(st.sampled_from("abc"), max_size=40))
def test_nobody_is_served_twice_while_another_waits_for_the_first_time(users: str) -> None:
    turns = Turns()
    for number, user in enumerate(users):
        turns.add(user, f"{user}{number}")
    assert len(turns) == len(users)
    left, served = Counter(users), []
    while (job := turns.next()) is not None:
        served.append(job[0])
        left[job[0]] -= 1
        counts = Counter(served)
        waiting = [user for user in left if left[user]]
        assert all(counts[job[0]] <= counts[user] + 1 for user in waiting)
    assert Counter(served) == Counter(users)
