from bus.events import VmEvent, event_message
from bus.messages import Message
from telemetry.garbage import EVERY_S, MOST_KEYS, EventReader, Garbage


def test_events_are_read_and_what_is_none_is_told_once_a_minute() -> None:
    told: list[str] = []
    events = EventReader(told.append)
    lost = VmEvent(state="lost", vm="vm1", at_ms=1)
    assert events.read(event_message(lost, lost.key), 0.0) == lost
    assert [events.read(Message(b"[]", "vm.lost\n.vm1"), now) for now in (1.0, 2.0, 3.0, 62.0)] == [None] * 4
    whose = r"What came under 'vm.lost\n.vm1' is no event of overspill's, and passed over"
    assert [words.partition(": ")[0] for words in told] == [whose, f"{whose} (and 2 more since the last that was told)"]


def test_each_key_is_told_once_a_minute_with_the_number_since() -> None:
    garbage = Garbage()
    assert [garbage.met("job.done.x", now) for now in (0.0, 1.0, 59.0)] == ["", None, None]
    assert garbage.met("vm.heartbeat.x", 59.0) == ""
    assert garbage.met("job.done.x", EVERY_S) == " (and 2 more since the last that was told)"
    assert garbage.met("job.done.x", 3 * EVERY_S) == ""


def test_of_keys_without_end_a_hundred_are_told_apart_in_a_minute() -> None:
    garbage = Garbage()
    told = [garbage.met(f"job.{number}", 0.0) for number in range(10_000)]
    assert [word for word in told if word is not None] == [""] * (MOST_KEYS + 1)
    assert garbage.met("another", EVERY_S) == ""
    assert garbage.met("job.1", EVERY_S) == ""
