"""Whether an answer is what its job asked for. Pure."""

import io
import json
from dataclasses import dataclass, field

import imagesize

from bus.answers import Answer
from bus.errors import AnswerTimeout, OverspillError, ProblemError
from bus.wire import JSON
from ui.bench.tally import LOST, Reply

NOT_TAKEN = "not-taken"
"""The broker did not take the job, or the connection was lost for too long."""
WRONG = "wrong-answer"
"""The answer is not a picture of the job's own size, nor a caption."""


@dataclass(frozen=True, slots=True)
class Picture:
    """A picture to send: its bytes, and its width and height."""

    body: bytes = field(repr=False)
    size: tuple[int, int]


def reply_of(outcome: Answer | OverspillError, picture: Picture | None) -> Reply:
    """How a job ended; with `picture`, the one that was sent, its answer is looked at."""
    if isinstance(outcome, ProblemError):
        return Reply(problem=outcome.problem.slug)
    if isinstance(outcome, OverspillError):
        return Reply(problem=LOST if isinstance(outcome, AnswerTimeout) else NOT_TAKEN)
    wrong = picture is not None and not belongs(outcome, picture)
    return Reply(outcome.route, WRONG if wrong else None, outcome.cost or 0.0)


def belongs(answer: Answer, picture: Picture) -> bool:
    """Whether an answer may be the job's own: a picture of the same size, upright or turned, or a caption's words."""
    if answer.content_type == JSON:
        return _has_words(answer.body)
    if not answer.content_type.startswith("image/"):
        return False
    return size_of(answer.body) in (picture.size, picture.size[::-1])


def size_of(body: bytes) -> tuple[int, int]:
    """Width and height, (-1, -1) of what is no picture. The header alone is read."""
    found: tuple[int, int] = imagesize.get(io.BytesIO(body), exif_rotation=False)
    return found


def _has_words(body: bytes) -> bool:
    try:
        told = json.loads(body)
    except ValueError:
        return False
    return isinstance(told, dict) and isinstance(told.get("caption"), str) and bool(told["caption"].strip())
