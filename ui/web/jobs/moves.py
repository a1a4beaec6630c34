"""How a record moves on: what it hears of its job, and how it ends. Every rule of a job's states is here. Pure.

Steps come from routers, VMs and bridges, each with its own way to us, so late and twice. What tells them apart is the
placement: a step of one that is past is old news, and within the latest one only a later step is news. A job ends once,
by its answer or by us; whatever is told later fills in what was not known, and changes nothing. Only who sends a failed
job again, out of the dead queue, opens it anew. Each time has a number, told by whoever sends it, by the event and by
the answer: whichever comes first opens the job, and what belongs to a time that is past is old news.
"""

import hashlib
import json
from dataclasses import dataclass
from typing import Any, Final

from bus.answers import Answer
from bus.events import JobEvent
from bus.problems import Kind, Problem
from ui.web.jobs.record import Order, Picture, Record, Result, State

GRACE_MS: Final = 120_000
"""How long after its deadline a job's answer is still hoped for."""
UNANSWERABLE_MS: Final = 10_000
"""The same, once it is told that the answer had nowhere to go: another copy of it may be under way."""

_BACK_IN_LINE: Final = 4
_STEPS: Final = {
    "routed": 1,
    "sent": 2,
    "running": 3,
    "waiting": _BACK_IN_LINE,
    "parked": _BACK_IN_LINE,
    "retried": _BACK_IN_LINE,
}
"""In the order of one placement. What waits in line still bears the placement that it has behind it."""
_PAST_KEPT: Final = 8
_STATES: Final[dict[str, State]] = {"routed": "routed", "sent": "routed", "running": "running"}
_TOLD: Final = ("vm", "route", "waited_ms", "ran_ms", "cost")
_ANSWERED: Final = ("vm", "route", "attempt", "waited_ms", "ran_ms", "model", "cost")


@dataclass(frozen=True, slots=True)
class Spans:
    """How long a job may wait, and how long an ended one is kept, milliseconds."""

    lives_ms: int
    kept_ms: int


def begun(order: Order, picture: Picture, job_id: str, now_ms: int, spans: Spans) -> Record:
    """The record of a new job."""
    return Record(
        id=job_id,
        user=order.user,
        operation=order.operation,
        params=order.params,
        name=order.name,
        site=order.site,
        priority=order.priority,
        retry_of=order.retry_of,
        traceparent=order.traceparent,
        picture=picture,
        created_ms=now_ms,
        updated_ms=now_ms,
        deadline_ms=now_ms + spans.lives_ms,
        expires_ms=now_ms + spans.kept_ms,
    )


def again(record: Record) -> Order:
    """The order for the same job once more."""
    return Order(
        user=record.user,
        operation=record.operation,
        params=record.params,
        name=record.name,
        site=record.site,
        priority=record.priority,
        retry_of=record.id,
    )


def fingerprint(order: Order, digest: bytes) -> bytes:
    """What tells an order, with the digest of its picture, from others that were given the same idempotency key."""
    asked = json.dumps([order.operation, order.params, order.site, order.priority], sort_keys=True)
    return hashlib.sha256(asked.encode() + digest).digest()


def is_of(record: Record, event: JobEvent) -> bool:
    """Whether an event is about this job: ids are their callers' own, and another user may have the same."""
    return (event.job, event.user, event.operation) == (record.id, record.user, record.operation)


def sent(record: Record, now_ms: int) -> Record:
    """The broker has taken responsibility for the job."""
    return record.model_copy(update={"state": "queued", "updated_ms": now_ms}) if record.state == "accepted" else record


def moved(record: Record, event: JobEvent, now_ms: int) -> Record:
    """The record after an event: the very same when the event is another job's, or no news."""
    if not is_of(record, event):
        return record
    if record.ended or event.state in {"done", "failed"}:
        return _filled(record, event, now_ms)
    if event.state == "unanswerable":
        return _given_up(record, event.reason, now_ms)
    if event.state not in _STEPS or not _is_news(record, event):
        return record  # that a dead job was replayed or purged is no step of a placement
    return (
        _in_line(record, event, now_ms) if _STEPS[event.state] == _BACK_IN_LINE else _on_its_way(record, event, now_ms)
    )


def is_worth_keeping(before: Record, after: Record) -> bool:
    """Whether a move is kept and numbered: a new place in line is not."""
    passing: dict[str, Any] = {"place": None, "eta_s": None, "updated_ms": 0}
    return before.model_copy(update=passing) != after.model_copy(update=passing)


def _is_news(record: Record, event: JobEvent) -> bool:
    placement = _placement(record, event)
    if placement != record.placement:
        # In line without a placement it was before its first one.
        return placement is not None and placement not in record.past
    step = _STEPS[event.state]
    # In line a job is told of again and again, and its state is the same.
    return step > record.step or step == record.step == _BACK_IN_LINE


def _placement(record: Record, event: JobEvent) -> str | None:
    """The placement an event is about; what runs without a router's word has but one."""
    in_line = _STEPS[event.state] == _BACK_IN_LINE
    return event.placement if event.placement is not None or in_line else record.placement


def _placed(record: Record, event: JobEvent, now_ms: int) -> dict[str, Any]:
    """What every step that is news changes."""
    placement, past = _placement(record, event), record.past
    if record.placement not in {None, placement}:
        past = (*past, str(record.placement))[-_PAST_KEPT:]
    return {
        "placement": placement,
        "past": past,
        "step": _STEPS[event.state],
        "attempt": record.attempt if event.attempt is None else event.attempt,
        "updated_ms": now_ms,
    }


def _in_line(record: Record, event: JobEvent, now_ms: int) -> Record:
    """Before it is placed, or again: what was told of a placement is over."""
    line = {**dict.fromkeys(_TOLD), "state": "queued", "place": event.place, "eta_s": event.eta_s}
    return record.model_copy(update={**line, **_placed(record, event, now_ms)})


def _on_its_way(record: Record, event: JobEvent, now_ms: int) -> Record:
    told = {field: getattr(event, field) for field in _TOLD if getattr(event, field) is not None}
    if event.state == "sent":
        told["route"] = "cloud"
    way = {**told, "state": _STATES[event.state], "place": None, "eta_s": None}
    return record.model_copy(update={**way, **_placed(record, event, now_ms)})


def _filled(record: Record, event: JobEvent, now_ms: int) -> Record:
    """With what was not known yet; the state is the answer's to change."""
    fields = {**{field: getattr(event, field) for field in _TOLD}, "attempt": event.attempt}
    news = {field: value for field, value in fields.items() if value is not None and getattr(record, field) is None}
    return record.model_copy(update={**news, "updated_ms": now_ms}) if news else record


def _given_up(record: Record, reason: str | None, now_ms: int) -> Record:
    if record.given_up_ms is not None:
        return record
    return record.model_copy(
        update={"given_up_ms": now_ms + UNANSWERABLE_MS, "given_up_for": reason or "nobody could be sent it"}
    )


def is_placed(record: Record) -> bool:
    """Whether a router has placed it, as far as is known: then its answer ends it, whatever its user asks."""
    return record.placement is not None or record.state not in {"accepted", "queued"}


def cancelling(record: Record, now_ms: int) -> Record:
    """Its user has asked that it be cancelled."""
    return record if record.cancel_asked else record.model_copy(update={"cancel_asked": True, "updated_ms": now_ms})


def done(record: Record, answer: Answer, result: Result, now_ms: int, kept_ms: int) -> Record:
    """The end by a result; `kept_ms` is how long ended jobs are kept, milliseconds."""
    return _ended(_run(record, answer), "done", now_ms, kept_ms).model_copy(update={"result": result})


def refused(record: Record, answer: Answer, problem: Problem, now_ms: int, kept_ms: int) -> Record:
    """The end by an answer that is a problem, or can't be used."""
    return failed(_run(record, answer), problem, now_ms, kept_ms)


def failed(record: Record, problem: Problem, now_ms: int, kept_ms: int) -> Record:
    """The end with a problem."""
    state: State = "cancelled" if problem.type == Kind.CANCELLED.urn else "failed"
    return _ended(record, state, now_ms, kept_ms).model_copy(update={"problem": problem})


def cancelled(record: Record, now_ms: int, kept_ms: int) -> Record:
    """The end of a job that was cancelled before it was placed; an answer that comes all the same is of no use."""
    return failed(record, Problem.of(Kind.CANCELLED, "It was cancelled before it was begun."), now_ms, kept_ms)


def replayed(record: Record, replays: int, now_ms: int, spans: Spans) -> Record:
    """A failed job that was sent again for the `replays`-th time; the very same when that is no news."""
    return reopened(record, replays, now_ms, spans) if replays > record.replays else record


def reopened(record: Record, replays: int, now_ms: int, spans: Spans) -> Record:
    """A failed job that is sent again: in line as if it had just been sent, and what is told of before is old news."""
    past = record.past if record.placement is None else (*record.past, record.placement)[-_PAST_KEPT:]
    over = dict.fromkeys((*_ANSWERED, "ended_ms", "problem", "placement", "given_up_ms", "given_up_for"))
    times = {"deadline_ms": now_ms + spans.lives_ms, "expires_ms": now_ms + spans.kept_ms}
    line = {"state": "queued", "step": 0, "past": past, "cancel_asked": False, "replays": replays}
    return record.model_copy(update={**over, **times, **line, "updated_ms": max(now_ms, record.updated_ms)})


def failed_still(record: Record, before: Record) -> Record:
    """A job that was reopened, and could not be sent again after all: it is as it was `before`."""
    return before.model_copy(update={"updated_ms": record.updated_ms})


def overdue(record: Record, now_ms: int) -> Problem | None:
    """Why no answer is hoped for any more, or None while one is."""
    if record.ended:
        return None
    if record.given_up_ms is not None and now_ms >= record.given_up_ms:
        detail = f"Its answer could not be brought here: {record.given_up_for}."
        return Problem.of(Kind.OPERATION_FAILED, detail, remedy="Try it again.")
    if now_ms < record.deadline_ms + GRACE_MS:
        return None
    if record.state == "running":
        return Problem.of(Kind.TIMED_OUT, "It was begun, and nothing came back in time.", remedy="Try it again.")
    return Problem.of(Kind.EXPIRED, "It waited longer than jobs may.", remedy="Try it again, or later.")


def is_answer_to(record: Record, answer: Answer) -> bool:
    """Whether an answer is to the last time that the job was sent, and no copy of the one it failed by before."""
    return (answer.replays or 0) >= record.replays


def unreadable(answer: Answer) -> Problem:
    """The end of a job whose answer makes no sense."""
    detail = f"Its answer, {answer.content_type[:80]}, can't be read."
    return Problem.of(Kind.OPERATION_FAILED, detail)


def _run(record: Record, answer: Answer) -> Record:
    """With what the answer tells of where and how it ran."""
    told = {field: getattr(answer, field) for field in _ANSWERED}
    return record.model_copy(update={field: value for field, value in told.items() if value is not None})


def _ended(record: Record, state: State, now_ms: int, kept_ms: int) -> Record:
    # A step may be heard while the result is written, or in the same millisecond: the end is later news than it.
    updated_ms = max(now_ms, record.updated_ms + 1)
    update = {"state": state, "ended_ms": now_ms, "updated_ms": updated_ms, "expires_ms": now_ms + kept_ms}
    return record.model_copy(update={**update, "place": None, "eta_s": None})
