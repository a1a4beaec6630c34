"""What a dead letter tells, and how it becomes a job again."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bus.errors import BadInput
from bus.messages import Job, Message
from producers.letter import Sieve, again, by_death, event_of, letter_of

NOW_MS = 1_800_000_000_000
HISTORY = '[{"attempt": 3, "at_ms": 7, "vm": "vm1", "problem": "timed-out", "reason": "60 s were not enough"}]'
HEADERS = {
    "user": "anna", "operation": "sketch", "params": '{"format": "png"}', "site": "local", "attempt": 3,
    "received_ms": 5, "deadline_ms": 9, "placement": "p3", "history": HISTORY, "reason": "it failed", "dead_ms": 8,
}  # fmt: skip
DEAD = Message(b"picture", "dead", HEADERS, "image/png", "cup", "mine", "replies")


def dead(**headers: Any) -> Message:
    return replace(DEAD, headers={name: value for name, value in {**HEADERS, **headers}.items() if value is not None})


def test_a_letter_tells_whose_job_it_was_and_why_it_died() -> None:
    letter = letter_of(DEAD, NOW_MS)
    assert (letter.job, letter.user, letter.operation, letter.reason) == ("cup", "anna", "sketch", "it failed")
    assert (letter.bytes, letter.type, letter.site, letter.claimed) == (7, "image/png", "local", False)
    assert (letter.dead_ms, letter.replays, letter.replies, letter.refused) == (8, 0, "replies", None)
    assert [(attempt.vm, attempt.problem) for attempt in letter.history] == [("vm1", "timed-out")]


def test_its_id_is_made_of_what_it_holds() -> None:
    known = letter_of(DEAD, NOW_MS).id
    assert len(known) == 32
    assert letter_of(replace(DEAD, headers=dict(reversed(HEADERS.items()))), NOW_MS + 1).id == known
    others = (dead(user="b"), replace(DEAD, message_id="other"), replace(DEAD, body=b"another"), dead(dead_ms=9))
    assert known not in {letter_of(other, NOW_MS).id for other in others}


def test_those_that_died_first_come_first_and_those_that_don_t_tell_when_last() -> None:
    late, soon, timeless, other = (letter_of(dead(dead_ms=at), NOW_MS) for at in (9, 8, None, 8))
    assert by_death([timeless, late, soon, other]) == [soon, other, late, timeless]
    assert by_death([timeless, timeless]) == [timeless, timeless]


def test_sent_again_its_attempts_count_anew_and_its_history_goes_on() -> None:
    message = again(DEAD, NOW_MS, by="operator o")
    job = Job.from_message(message, NOW_MS)
    assert (message.routing_key, message.expiration, message.body) == ("sketch", None, b"picture")
    assert (job.id, job.user, job.params, job.site, job.reply_to) == (
        "cup",
        "anna",
        {"format": "png"},
        "local",
        "replies",
    )
    assert (job.attempt, job.deadline_ms, job.placement, job.received_ms) == (0, None, None, NOW_MS)
    assert (job.replays, job.correlation_id) == (1, "mine")
    assert [each.reason for each in job.history] == [
        "60 s were not enough",
        "sent again out of the dead queue by operator o",
    ]
    assert "reason" not in message.headers


def test_how_often_it_was_sent_again_is_told() -> None:
    message = DEAD
    for _ in range(3):
        message = again(message, NOW_MS, by="o")
    assert letter_of(message, NOW_MS).replays == 3


@pytest.mark.parametrize(
    ("message", "why"),
    [
        (dead(operation="knit"), "'knit' is not an operation"),
        (replace(DEAD, body=b""), "It has no picture."),
        (replace(DEAD, reply_to=None), "It names no reply_to"),
        (dead(params="{"), "params"),
    ],
    ids=["operation", "picture", "reply_to", "params"],
)
def test_what_can_not_be_sent_again_says_why(message: Message, why: str) -> None:
    assert why in (letter_of(message, NOW_MS).refused or "")


def test_a_claim_is_a_picture() -> None:
    letter = letter_of(replace(dead(claim="pictures/20260101/" + "0" * 32), body=b""), NOW_MS)
    assert (letter.claimed, letter.refused) == (True, None)


def test_what_can_not_be_read_is_told_as_far_as_it_goes() -> None:
    letter = letter_of(Message(b"?", "dead", {"user": 7, "params": "{", "reason": b"\\xff", "x-death": []}), NOW_MS)
    assert (letter.job, letter.user, letter.operation, letter.type) == ("", "anonymous", "", None)
    assert (letter.reason, letter.dead_ms, letter.history) == ("No reason is told.", None, ())
    with pytest.raises(BadInput):
        again(Message(b"?", "dead", {"params": "{"}), NOW_MS, by="o")


def test_what_the_broker_moved_here_itself_tells_where_from_and_when() -> None:
    at = datetime(2026, 1, 1, tzinfo=UTC)
    broker = {"x-death": [{"time": at}], "x-first-death-queue": "jobs.returned", "x-first-death-reason": "rejected"}
    letter = letter_of(dead(reason=None, dead_ms=None, **broker), NOW_MS)
    assert letter.reason == "The broker took it out of jobs.returned: rejected."
    assert letter.dead_ms == int(at.timestamp() * 1000)


@pytest.mark.parametrize(
    ("sieve", "takes"),
    [
        (Sieve(), True),
        (Sieve(operation="sketch", user="anna", reason="FAILED", before_ms=9, after_ms=8), True),
        (Sieve(operation="caption"), False),
        (Sieve(user="ben"), False),
        (Sieve(reason="timed-out"), True),
        (Sieve(reason="timed"), False),
        (Sieve(before_ms=8), False),
        (Sieve(after_ms=9), False),
        (Sieve(after_ms=8), True),
    ],
)
def test_a_sieve_lets_through_what_all_its_parts_do(sieve: Sieve, takes: bool) -> None:
    assert sieve.takes(letter_of(DEAD, NOW_MS)) is takes


def test_a_letter_that_does_not_tell_when_it_died_is_not_meant_by_times() -> None:
    timeless = letter_of(dead(dead_ms=None), NOW_MS)
    assert Sieve().takes(timeless)
    assert not Sieve(before_ms=NOW_MS).takes(timeless)
    assert not Sieve(after_ms=0).takes(timeless)


def test_the_problem_is_that_of_the_latest_attempt_that_had_one() -> None:
    assert letter_of(DEAD, NOW_MS).problem == "timed-out"
    assert letter_of(again(DEAD, NOW_MS, by="o"), NOW_MS).problem == "timed-out"
    assert letter_of(dead(history=None), NOW_MS).problem is None


def test_what_is_done_with_it_is_told_with_who_and_how_often() -> None:
    context = f"00-{'a' * 32}-{'b' * 16}-01"
    letter = letter_of(dead(traceparent=context, replays=10), NOW_MS)
    event = event_of(letter, "replayed", 5, by="anna@host")
    assert (event.key, event.user, event.traceparent) == ("job.replayed.sketch", "anna", context)
    assert event.reason == "by anna@host, for the 11th time"
    told = [event_of(letter_of(dead(replays=n), 0), "replayed", 5, by="o").reason for n in (0, 1, 2, 3, 20)]
    assert [str(reason).split()[-2] for reason in told] == ["1st", "2nd", "3rd", "4th", "21st"]
    assert event_of(letter, "purged", 5, by="anna@host").reason == "by anna@host"


def test_what_died_after_three_replays_needs_someone_who_insists() -> None:
    assert letter_of(dead(replays=2), NOW_MS).why_not() is None
    tired = letter_of(dead(replays=3), NOW_MS)
    assert tired.why_not() == "It was sent again 3 times already and died each time: it failed"
    assert tired.why_not(gone=True) == "Its answer would be lost, and its picture: the reply queue replies is gone."
    assert tired.why_not(gone=True, force=True) is None
    assert tired.why_not(force=True) is None
    assert "Remove it." in str(letter_of(dead(operation="knit"), NOW_MS).why_not(force=True))
