"""What `overspill dead` shows."""

import io
from dataclasses import replace
from typing import Any

from rich.console import Console

from bus.messages import Message
from producers.letter import Letter, letter_of
from ui.commands.dead_view import age, as_json, jobs, lines, plan, table

NOW_MS = 1_800_000_000_000
HISTORY = '[{"attempt": 3, "at_ms": 1799999990000, "vm": "vm1", "problem": "timed-out", "reason": "60 s, no more"}]'
HEADERS = {
    "user": "anna", "operation": "sketch", "attempt": 3, "history": HISTORY, "reason": "it failed",
    "pixels": 12_000_000, "dead_ms": NOW_MS - 7_500_000, "traceparent": f"00-{'4b' * 16}-{'a' * 16}-01",
}  # fmt: skip
DEAD = Message(b"\x89PNG\r\n\x1a\n" + b"." * 3992, "dead", HEADERS, "image/png", "cup", "mine", "replies")


def dead(message: Message = DEAD, **headers: Any) -> Message:
    return replace(message, headers={k: v for k, v in {**message.headers, **headers}.items() if v is not None})


def letter(message: Message = DEAD, **headers: Any) -> Letter:
    return letter_of(dead(message, **headers), NOW_MS)


def shown(*letters: Letter, width: int = 120) -> list[str]:
    screen = io.StringIO()
    Console(file=screen, width=width, color_system=None).print(table(letters, NOW_MS))
    return [line.rstrip() for line in screen.getvalue().splitlines()]


def test_a_letter_is_a_row_then_its_job_and_its_reason() -> None:
    far = letter(user="ben" * 9, reason=" ".join(["far"] * 30))
    assert shown(letter(), far, width=80) == [
        "id          died           attempts  replays  operation  user",
        "            job: reason",
        f"{letter().id[:10]}  2 h 5 min ago         3        0  sketch     anna",
        "            cup: it failed",
        f"{far.id[:10]}  2 h 5 min ago         3        0  sketch     {'ben' * 6}be",
        f"            cup: {' '.join(['far'] * 16)}",
        f"            {' '.join(['far'] * 14)}",
    ]


def test_control_characters_don_t_reach_the_terminal() -> None:
    text = "\n".join(shown(letter(reason="\x1b[2J[bold]\r\nx", user="a\x1b]0;")))
    assert "\x1b" not in text
    assert "[bold]" in text
    told = "\n".join(lines(letter(reason="\x1b[2J"), dead(reason="\x1b[2J", user="\x9b"), NOW_MS))
    assert "\x1b" not in told
    assert "\x9b" not in told


def test_a_letter_whole() -> None:
    assert lines(letter(), DEAD, NOW_MS) == [
        f"letter               {letter().id}",
        "job                  cup",
        "user                 anna",
        "operation            sketch",
        "died                 2027-01-15 05:55:00 UTC, 2 h 5 min ago",
        "reason               it failed",
        "problem              timed-out",
        "replays              0",
        "picture              PNG, 4,000 bytes, 12.0 megapixels, sent as image/png",
        "answer to            replies",
        f"trace                {'4b' * 16}",
        "",
        "Attempts, the oldest first:",
        "  2027-01-15 07:59:50 UTC, 10 s ago: attempt 3 on vm1 (timed-out): 60 s, no more",
        "",
        "Headers:",
        "  attempt: 3",
        "  dead_ms: 1799992500000",
        "  operation: sketch",
        "  pixels: 12000000",
        f"  traceparent: 00-{'4b' * 16}-{'a' * 16}-01",
        "  user: anna",
    ]


def test_what_is_not_known_of_a_letter_is_said_so() -> None:
    bare = Message(b"?", "dead", {"dead_ms": 10**30, "operation": "knit"})
    told = "\n".join(lines(letter(bare), bare, NOW_MS))
    assert f"{10**30} ms after 1970" in told
    assert "of an unknown kind, 1 bytes\n" in told
    assert "can't be sent again  'knit' is not an operation" in told
    assert "Attempts" not in told
    timeless = replace(bare, headers={}, body=b"")
    told = "\n".join(lines(letter(timeless), timeless, NOW_MS))
    assert "at a time that is not known" in told
    assert "picture              none" in told
    assert age(None, NOW_MS) == "?"


def test_a_claimed_picture_is_told_with_its_claim() -> None:
    claim = f"pictures/20270115/{'0' * 32}"
    message = replace(dead(claim=claim), body=b"")
    assert f"picture              in the blob store, {claim}" in lines(letter_of(message, NOW_MS), message, NOW_MS)


def test_an_attempt_without_a_vm_is_an_operator_s() -> None:
    again = '[{"attempt": 3, "at_ms": 1799999990000, "reason": "sent again out of the dead queue by o"}]'
    told = lines(letter(history=again), dead(history=again), NOW_MS)
    assert "  2027-01-15 07:59:50 UTC, 10 s ago: attempt 3: sent again out of the dead queue by o" in told


def test_attempts_that_are_not_kept_are_counted() -> None:
    gap = '[{"attempt": 1, "at_ms": 1, "reason": "first"}, {"attempt": 5, "at_ms": 2, "reason": "late", "left_out": 3}]'
    told = lines(letter(history=gap), dead(history=gap), NOW_MS)
    beginning = told.index("Attempts, the oldest first:") + 1
    assert [line.rsplit(": ", 1)[-1] for line in told[beginning : beginning + 3]] == ["first", "  (3 not kept)", "late"]


def test_programs_get_all_of_it() -> None:
    told = as_json(letter())
    assert (told["id"], told["problem"], told["attempts"], told["dead_ms"]) == (
        letter().id, "timed-out", 3, HEADERS["dead_ms"],
    )  # fmt: skip
    assert told["history"][0]["vm"] == "vm1"


def test_a_plan_says_how_many_of_whom_and_why_they_died() -> None:
    mine = [letter(), letter(reason="b\x1b"), letter(reason="b\x1b", operation="caption")]
    assert plan(mine, "remove") == [
        "To remove: 3 dead jobs of anna (sketch 2, caption 1)",
        "  2 x b\N{REPLACEMENT CHARACTER}",
        "  1 x it failed",
    ]
    many = [letter(user=str(n), reason=f"r{n}") for n in range(7)]
    told = plan(many, "send again")
    assert told[0] == "To send again: 7 dead jobs of 7 users (sketch 7)"
    assert (len(told), told[-1]) == (7, "  and 2 other reasons")
    lost = "  2 with a reply queue that is gone: answer and picture will be lost"
    assert plan(many[:2], "send again", gone={"replies"})[-1] == lost
    assert "of no operation 1" in plan([letter(Message(b"?", "dead", {"params": "{"}))], "remove")[0]
    assert jobs(1) == "1 dead job"
