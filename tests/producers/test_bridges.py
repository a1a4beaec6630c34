"""Which words of bridges count: fresh ones, of active bridges, no more than there are consumers."""

from typing import Any

import pytest

from bus.events import BridgeStatus
from producers.bridges import FRESH_S, Bridges, Counts, said


def status(bridge: str = "b1", state: Any = "ready", **told: Any) -> BridgeStatus:
    return BridgeStatus(bridge=bridge, state=state, at_ms=0, **told)


def heard(*told: BridgeStatus, consumers: int = 1, at: float = 0.0) -> Bridges:
    """Bridges that spoke a tenth of a second apart, the last at `at`."""
    bridges = Bridges()
    bridges.consumers(consumers, 0, Counts(), at)
    for number, one in enumerate(told):
        bridges.heard(one, Counts(sent=number), at - 0.1 * (len(told) - 1 - number))
    return bridges


def counted(bridges: Bridges, now: float = 0.0) -> list[str]:
    return [word.status.bridge for word in bridges.words(now).all]


def test_who_was_counted_is_alive_for_three_beats() -> None:
    bridges = Bridges()
    assert bridges.alive(0) == 0
    bridges.consumers(2, 7, Counts(), 0)
    assert (bridges.alive(FRESH_S), bridges.alive(FRESH_S + 0.1)) == (2, 0)


def test_what_waits_for_them_is_what_lay_there_and_what_was_sent_since() -> None:
    bridges = Bridges()
    assert (bridges.waiting, bridges.piled(Counts(sent=3))) == (0, 3)
    bridges.consumers(1, 7, Counts(sent=3), 0)
    assert (bridges.waiting, bridges.piled(Counts(sent=5))) == (7, 9)
    assert bridges.piled(Counts(sent=2)) == 7  # some came home


def test_the_latest_words_count_as_many_as_there_are_consumers() -> None:
    words = [status("b1"), status("b2"), status("b3")]
    assert counted(heard(*words, consumers=2)) == ["b3", "b2"]
    assert counted(heard(*words, consumers=9)) == ["b3", "b2", "b1"]
    assert counted(heard(*words, consumers=0)) == []


def test_a_new_word_replaces_a_bridges_last_one() -> None:
    bridges = heard(status("b1", in_flight=1), status("b1", in_flight=5), consumers=2)
    assert bridges.words(0).in_flight == 5


def test_a_bridge_that_stands_by_does_not_count() -> None:
    assert counted(heard(status("b1"), status("b2", active=False), consumers=2)) == ["b1"]
    assert counted(heard(status("b1"), status("b1", active=False), consumers=2)) == []


def test_a_word_is_forgotten() -> None:
    bridges = heard(status("b1"))
    bridges.consumers(1, 0, Counts(), 10)
    assert counted(bridges, 10) == []
    bridges.heard(status("b2"), Counts(), 10)
    assert list(bridges._heard) == ["b2"]


@pytest.mark.parametrize(
    ("told", "why"),
    [
        ([], "no bridge is alive"),
        ([status(active=False)], "no bridge is active yet, one stands by"),
        ([status()], "the bridge takes no jobs yet"),
        ([status(state="broken", reason="403"), status("b2", active=False)], "broken: 403"),
        ([status(state="broken"), status("b2", state="draining")], "draining"),
    ],
)
def test_it_is_told_why_nobody_takes_jobs(told: list[BridgeStatus], why: str) -> None:
    assert heard(*told, consumers=0).absent(0) == why
    assert heard(*told, consumers=0).absent(9) == "no bridge is alive"


def test_what_several_tell_is_added_or_compared() -> None:
    words = heard(
        status("b1", capacity=3, seconds={"sketch": 2.0}, money_per_day=5.0, sent_last_minute=8),
        status("b2", "full", capacity=4, seconds={"sketch": 1.0}, largest_bytes=9_000_000, spent_today=0.5),
        consumers=2,
    ).words(0)
    assert (words.capacity, words.ready.capacity) == (7, 3)
    assert (words.seconds("sketch"), words.ready.seconds("sketch"), words.seconds("caption")) == (2.0, 2.0, None)
    assert (words.money_per_day, words.jobs_per_minute, words.largest_bytes) == (5.0, None, 9_000_000)
    assert (words.sent_last_minute, words.spent_today) == (8, 0.5)


def test_they_are_bounded_when_each_tells_how_many_jobs_it_takes() -> None:
    assert not Bridges().words(0).is_bounded
    assert heard(status(capacity=3)).words(0).is_bounded
    assert not heard(status("b1", capacity=3), status("b2"), consumers=2).words(0).is_bounded


def test_words_count_for_as_long_as_the_count_of_consumers_does() -> None:
    bridges = heard(status("b1"), status("b2"), consumers=2)
    assert counted(bridges) == ["b2", "b1"]
    bridges.consumers(2, 0, Counts(), 0.5)
    assert counted(bridges, 0.6) == ["b2", "b1"]
    bridges.consumers(1, 0, Counts(), 1.0)
    assert counted(bridges, 1.0) == ["b2"]
    assert counted(bridges, 1.0 + FRESH_S + 0.1) == []


def test_what_was_counted_since_is_told_from_the_oldest_word() -> None:
    assert heard(status("b1"), status("b2"), consumers=2).words(0).since == Counts(sent=0)
    assert heard(status("b1"), status("b2"), consumers=1).words(0).since == Counts(sent=1)
    assert Bridges().words(0).since == Counts()


def test_an_operation_is_served_by_who_names_it_or_names_none() -> None:
    assert Bridges().words(0).serve("sketch")
    assert heard(status()).words(0).serve("sketch")
    some = heard(status("b1", operations=("sketch",)), status("b2", operations=("caption",)), consumers=2).words(0)
    assert [some.serve(name) for name in ("sketch", "caption", "remove-background")] == [True, True, False]


def test_a_state_is_said_with_its_reason() -> None:
    assert (said(status(state="full")), said(status(state="full", reason="3 of 3"))) == ("full", "full: 3 of 3")
