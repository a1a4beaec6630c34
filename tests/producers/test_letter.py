"""What a dead letter tells, and how it becomes a job again."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from bus.errors import BadInput
from bus.messages import Job, Message
from producers.letter import again, letter_of

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
        (dead(params="{"), "params"),
    ],
    ids=["operation", "picture", "params"],
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
