"""Who may wait for a full reply queue, and what it takes to keep others out."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.waiting_room import LEAST, MOST, MOST_OF_ONE, Crowded, Place, WaitingRoom
from bus.messages import Message

KIB = 1 << 10


def full(queue: str, size: int = 0) -> Message:
    """An answer whose queue takes no more."""
    return Message(bytes(size), queue)


def test_one_queue_leaves_room_for_another() -> None:
    room = WaitingRoom()
    assert [room.enter("mallory", 6 << 20) for _ in range(3)] == [True, True, False]
    assert room.enter("bob", 6 << 20)
    room.leave("mallory", 6 << 20)
    assert room.enter("mallory", 6 << 20)


def test_many_small_answers_are_too_many_as_well() -> None:
    room = WaitingRoom()
    assert [room.enter("mallory", 1) for _ in range(65)].count(True) == MOST_OF_ONE // LEAST == 64


def test_many_full_queues_are_too_many_as_well() -> None:
    room = WaitingRoom()
    assert [room.enter(f"mallory {number}", 1) for number in range(200)].count(True) == MOST // LEAST == 128


def test_an_answer_larger_than_the_room_waits_alone() -> None:
    room = WaitingRoom(most=500 * KIB, most_of_one=300 * KIB)
    assert room.enter("bob", 900 * KIB)
    assert not room.enter("bob", 1)
    assert not room.enter("eve", 1)
    room.leave("bob", 900 * KIB)
    assert room.bytes == 0
    assert room.enter("eve", 1)


@given(st.lists(st.tuples(st.sampled_from("abc"), st.integers(0, 40 << 20), st.booleans()), max_size=60))
def test_it_never_holds_more_than_it_may_and_ends_empty(coming: list[tuple[str, int, bool]]) -> None:
    room, inside = WaitingRoom(), list[tuple[str, int]]()
    for queue, size, one_leaves in coming:
        if room.enter(queue, size):
            inside.append((queue, size))
        assert room.bytes == sum(max(size, LEAST) for _, size in inside)
        assert room.bytes <= MOST or len(inside) == 1
        if inside and one_leaves:
            room.leave(*inside.pop(0))
    for each in inside:
        room.leave(*each)
    assert room.bytes == 0


def test_who_steps_aside_makes_room_once() -> None:
    room, freed = WaitingRoom(), list[str]()
    place = Place(room, lambda: freed.append("hand"))
    place.wait(full("bob", 300 * KIB))
    place.wait(full("bob", 300 * KIB))  # it was tried again, in vain
    assert (freed, room.bytes) == (["hand"], 300 * KIB)
    place.leave()
    assert (freed, room.bytes) == (["hand"], 0)


def test_who_never_had_to_wait_makes_room_in_the_end() -> None:
    room, freed = WaitingRoom(), list[str]()
    Place(room, lambda: freed.append("hand")).leave()
    assert (freed, room.bytes) == (["hand"], 0)


def test_who_may_not_wait_is_told_or_stays() -> None:
    room, freed = WaitingRoom(most=LEAST), list[str]()
    assert room.enter("mallory", 1)
    place = Place(room, lambda: freed.append("hand"))
    with pytest.raises(Crowded, match="262,144 bytes"):
        place.wait(full("bob"))
    place.wait_or_stay(full("bob"))
    assert freed == []
    room.leave("mallory", 1)
    place.wait_or_stay(full("bob"))
    assert (freed, room.bytes) == (["hand"], LEAST)
    place.leave()
    assert (freed, room.bytes) == (["hand"], 0)
