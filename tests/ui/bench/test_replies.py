import json
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.errors import AnswerTimeout, Disconnected, JobFailed, OverspillError
from bus.problems import Kind, Problem
from bus.wire import JSON
from ui.bench.replies import NOT_TAKEN, WRONG, Picture, reply_of, size_of
from ui.bench.tally import LOST, Reply

COFFEE = (Path(__file__).parents[2] / "data" / "photographs" / "coffee.jpg").read_bytes()
SENT = Picture(COFFEE, size_of(COFFEE))


def answer(body: bytes = COFFEE, content_type: str = "image/jpeg", route: str | None = "vm") -> Answer:
    told = {"job": "1", "operation": "sketch", "content_type": content_type, "body": body, "route": route}
    return Answer.model_validate(told | {"cost": 0.5 if route == "cloud" else None})


def test_a_good_answer_tells_its_place_and_its_price() -> None:
    assert reply_of(answer(), SENT) == Reply("vm")
    assert reply_of(answer(route="cloud"), SENT) == Reply("cloud", None, 0.5)


@pytest.mark.parametrize(
    ("outcome", "problem"),
    [
        (JobFailed(Problem.of(Kind.TOO_MANY_JOBS, "1000 wait.")), "too-many-jobs"),
        (AnswerTimeout("No answer."), LOST),
        (Disconnected("gone"), NOT_TAKEN),
    ],
)
def test_what_went_wrong_has_a_slug(outcome: OverspillError, problem: str) -> None:
    assert reply_of(outcome, SENT) == Reply(problem=problem)


def test_a_picture_of_another_size_is_not_the_job_s_own_unless_it_is_turned() -> None:
    width, height = SENT.size
    assert reply_of(answer(), Picture(COFFEE, (height, width))).problem is None
    assert reply_of(answer(), Picture(COFFEE, (width + 1, height))).problem == WRONG
    assert reply_of(answer(), None).problem is None


@pytest.mark.parametrize("body", [b"", b"not a picture", COFFEE[:10]])
def test_what_is_no_picture_is_wrong(body: bytes) -> None:
    assert reply_of(answer(body), SENT).problem == WRONG


@pytest.mark.parametrize(
    ("body", "right"),
    [
        (json.dumps({"caption": "a cup"}).encode(), True),
        (json.dumps({"caption": " "}).encode(), False),
        (json.dumps({"caption": 3}).encode(), False),
        (json.dumps(["a cup"]).encode(), False),
        (b"a cup", False),
    ],
)
def test_a_caption_has_words(body: bytes, right: bool) -> None:
    assert reply_of(answer(body, JSON), SENT).problem == (None if right else WRONG)


def test_an_answer_that_is_neither_is_wrong() -> None:
    assert reply_of(answer(b"a cup", "text/plain"), SENT).problem == WRONG
