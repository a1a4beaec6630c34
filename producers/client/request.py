"""What a caller asks, as the message that asks it. Pure."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Literal, TypedDict

from bus.errors import BadInput
from bus.messages import LONGEST_EXPIRATION_MS, Job, Message
from bus.problems import Kind, Problem

Image = bytes | Path
"""A picture: its bytes, or the file that holds them."""


class Options(TypedDict, total=False):
    """What a caller may say of a job; every part is optional.

    `priority` is 0 to 9, 5 and over for a person who waits. `expiration_s` is how long the job may live, seconds: one
    that hasn't begun by then is answered with the problem `expired`. `site="local"` keeps the picture off the cloud.
    `user` is whose fair share the job counts against, `traceparent` a W3C trace context.
    """

    priority: int
    expiration_s: float
    site: Literal["any", "local"]
    user: str
    traceparent: str


class JobOptions(Options, total=False):
    """`Options` of a single job, which may bring its own id: a repeat of an id is answered, not run twice."""

    job_id: str


@dataclass(frozen=True, slots=True)
class Request:
    """A job to ask for: what to do (`operation` with `params`) to `body`, and the caller's options."""

    body: bytes
    operation: str
    params: Mapping[str, Any] | None
    options: JobOptions


def job_message(request: Request, job_id: str, reply_to: str, now_ms: int) -> Message:
    """The message that asks for a job; `now_ms` is the Unix time in milliseconds.

    Raises BadInput naming what the contract doesn't allow, before anything is sent.
    """
    options = request.options
    headers = {"params": request.params, **{name: options.get(name) for name in ("user", "site", "traceparent")}}
    message = Message(
        body=request.body,
        routing_key=request.operation,
        headers={name: value for name, value in headers.items() if value is not None},
        message_id=job_id,
        correlation_id=job_id,
        reply_to=reply_to,
        expiration=_expiration(options.get("expiration_s")),
        priority=options.get("priority", 0),
        timestamp=now_ms // 1000,
    )
    job = Job.from_message(message, now_ms)
    # As text: AMQP tables differ from JSON, and each client library writes its own.
    told = replace(message, headers={**message.headers, "params": json.dumps(job.params)})
    return under(told, job.traceparent)  # if it is one at all


def _expiration(seconds: float | None) -> str | None:
    if seconds is None:
        return None
    longest_s = LONGEST_EXPIRATION_MS / 1000
    if not 0 < seconds <= longest_s:
        raise _bad("expiration_s", f"must be over 0 and at most {longest_s:.0f} seconds (given {seconds}).")
    return str(max(1, int(seconds * 1000)))


def fingerprint(message: Message) -> bytes:
    """What tells one job from another that was given the same id."""
    asked = json.dumps([message.routing_key, message.headers.get("params"), message.headers.get("user")])
    return hashlib.blake2b(message.body, digest_size=16, key=hashlib.blake2b(asked.encode()).digest()).digest()


def claimed(message: Message, claim: str) -> Message:
    """The message with a claim in the place of its picture."""
    return replace(message, body=b"", headers={**message.headers, "claim": claim})


def under(message: Message, traceparent: str | None) -> Message:
    """The message as it goes out under a span, or without."""
    told = {**message.headers, "traceparent": traceparent}
    return replace(message, headers={name: value for name, value in told.items() if value is not None})


def read_image(image: Image, most_inline: int, most_stored: int | None = None) -> bytes:
    """The picture's bytes.

    Raises BadInput when the file can't be read or there are more than `most_stored`; without a blob store (None), more
    than `most_inline`: a broker closes the channel of who sends more than it takes.
    """
    most = most_inline if most_stored is None else max(most_inline, most_stored)
    body = _read(image, most + 1) if isinstance(image, Path) else image
    if len(body) > most:
        size = f"{image} has" if isinstance(image, Path) else "The image has"
        raise BadInput(_too_large(size, most, stored=most_stored is not None))
    return body


def must_stay(size: int, most: int) -> BadInput:
    """The error of a picture that may not leave the site, when a cloud's store is the only way for it."""
    detail = (
        f"The image has {size:,} bytes, more than the {most:,} that a message may carry, and must stay on the site."
    )
    remedy = "Scale it down, or name a store on the site (`blobs=`, OVERSPILL_BLOBS): a folder."
    return BadInput(Problem.of(Kind.TOO_MANY_BYTES, detail, field="body", limit=most, remedy=remedy))


def _too_large(size: str, most: int, *, stored: bool) -> Problem:
    if stored:
        detail = f"{size} more than the {most:,} bytes that the blob store takes."
        remedy = "Compress or scale the image; the operator may raise OVERSPILL_MAX_CLAIM_BYTES."
    else:
        detail = f"{size} more than the {most:,} bytes that a message may carry, and no blob store is named."
        remedy = "Compress or scale the image, or name the system's blob store (`blobs=`, OVERSPILL_BLOBS)."
    return Problem.of(Kind.TOO_MANY_BYTES, detail, field="body", limit=most, remedy=remedy)


def _read(path: Path, most_bytes: int) -> bytes:
    try:
        with path.open("rb") as file:
            return file.read(most_bytes)
    except OSError as error:
        raise _bad("body", f"{path} can't be read ({error.strerror}).", remedy="Check its name and rights.") from None


def check_window(window: int) -> None:
    """Raises ValueError for a window in which nothing could ever be under way."""
    if window < 1:
        raise ValueError(f"window={window}: at least one job must be under way; give 1 or more.")


def repeated_id(job_id: str) -> BadInput:
    """The error of a caller who gave two different jobs one id while both are under way."""
    return _bad("message_id", f"another job called {job_id!r} is under way.", remedy="Give each job an id of its own.")


def _bad(field: str, what: str, **members: str) -> BadInput:
    return BadInput(Problem.of(Kind.BAD_FIELD, f"{field}: {what}", field=field, **members))
