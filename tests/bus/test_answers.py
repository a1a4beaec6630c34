"""Answers, as callers get them and as the next hop reads them."""

import json
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus import answers
from bus.answers import Answer
from bus.errors import BadInput
from bus.messages import Message
from bus.problems import Kind, Problem
from tests.bus.test_messages import CLAIM, JOB, TRACE, sent


def test_an_answer_hangs_under_the_latest_span_that_its_job_had() -> None:
    job = sent(headers={"traceparent": TRACE}, reply_to="q")
    message = Answer.to(job, content_type="image/png", body=b"x").to_message("q")
    assert message.headers["traceparent"] == TRACE
    assert Answer.from_message(message).traceparent == TRACE
    garbage = replace(message, headers={**message.headers, "traceparent": "none"})
    assert Answer.from_message(garbage).traceparent is None


def test_an_answer_carries_the_callers_correlation_id_and_where_it_ran() -> None:
    job = JOB.model_copy(update={"correlation_id": "mine"})
    message = Answer.to(job, content_type="image/png", body=b"png", vm="vm1", route="vm", ran_ms=12).to_message("q")
    assert (message.routing_key, message.body, message.content_type) == ("q", b"png", "image/png")
    assert message.correlation_id == "mine"
    assert message.headers == {"job": "42", "operation": "sketch", "vm": "vm1", "route": "vm", "ran_ms": 12}
    assert Answer.from_message(message).problem is None


def test_without_a_correlation_id_the_job_id_is_used() -> None:
    assert Answer.to(JOB, content_type="image/png", body=b"").correlation_id == "42"


def test_a_refusal_is_a_problem_about_the_job() -> None:
    answer = Answer.refusal(JOB, Problem.of(Kind.EXPIRED, "Too late."), attempt=2)
    assert answer.content_type == "application/problem+json"
    assert answer.problem is not None
    assert (answer.problem.slug, answer.problem.instance) == ("expired", "urn:overspill:job:42")
    assert answer.attempt == 2


@given(st.text(max_size=50), st.binary(max_size=50), st.none() | st.integers(0), st.none() | st.text(max_size=50))
def test_any_answer_reads_back_as_it_was(kind: str, body: bytes, ran_ms: int | None, vm: str | None) -> None:
    answer = Answer.to(JOB, content_type=kind or "image/png", body=body, ran_ms=ran_ms, vm=vm)
    assert Answer.from_message(answer.to_message("answers")) == answer


def test_a_large_result_is_told_by_its_claim_and_a_cloud_run_by_its_cost() -> None:
    told = {"claim": CLAIM, "link": "https://store.example/x?signed", "cost": 0.00017, "route": "cloud"}
    message = Answer.to(JOB, content_type="image/png", body=b"", **told).to_message("q")
    assert message.headers == {"job": "42", "operation": "sketch", **told}
    assert Answer.from_message(message).model_dump() | told == Answer.from_message(message).model_dump()


def test_what_names_no_job_is_no_answer() -> None:
    with pytest.raises(BadInput, match="job: Field required"):
        Answer.from_message(Message(body=b"a picture"))


def test_a_problem_that_cannot_be_read_is_bad_input() -> None:
    answer = Answer.to(JOB, content_type="application/problem+json", body=b"{}")
    with pytest.raises(BadInput, match="type: Field required"):
        _ = answer.problem


# Messages that are no job


def test_an_unreadable_message_is_answered_where_it_asks() -> None:
    message = Message(routing_key="sketch", reply_to="q", message_id="7", correlation_id="c", priority=99)
    answer = answers.unreadable(message, Problem.of(Kind.BAD_FIELD, "priority: too much."))
    assert answer is not None
    assert (answer.routing_key, answer.correlation_id) == ("q", "c")
    assert answer.headers == {"job": "7", "operation": "sketch"}
    assert json.loads(answer.body)["instance"] == "urn:overspill:job:7"


def test_an_id_that_is_not_text_is_shown_as_far_as_it_is() -> None:
    message = Message(routing_key="sketch", reply_to="q", message_id=b"a\xff")  # type: ignore[arg-type] # as pika does
    answer = answers.unreadable(message, Problem.of(Kind.BAD_FIELD, "message_id: not text."))
    assert answer is not None
    assert answer.headers["job"] == "a\ufffd"


@pytest.mark.parametrize("reply_to", [None, "", "dead", "lane.00", b"\xff"])
def test_a_message_that_names_nowhere_is_not_answered(reply_to: Any) -> None:
    message = Message(routing_key="sketch", reply_to=reply_to)
    assert answers.unreadable(message, Problem.of(Kind.BAD_FIELD, "wrong.")) is None
