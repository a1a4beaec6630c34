"""The messages of the published contract: true to what is really sent."""

import json
from typing import Any

import jsonschema
import pytest

from bus import asyncapi_messages
from bus.answers import Answer
from bus.events import JobEvent, event_message
from bus.messages import Job, Message
from bus.problems import Kind, Problem

COMPONENTS = {"messages": asyncapi_messages.messages(), "schemas": asyncapi_messages.schemas()}
JOB = Job(id="1", operation="sketch", body=b"x", params={"format": "png"}, received_ms=1, deadline_ms=2, replays=1)


def check(value: Any, model: str) -> None:
    """Raise ValidationError where `value` is not what the document says of `model`."""
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{model}", "components": COMPONENTS})


@pytest.mark.parametrize("params", [{"format": "png"}, '{"format": "png"}'])
def test_the_headers_of_a_job_are_as_described(params: object) -> None:
    check({"user": "ada", "params": params, "site": "local"}, "JobHeaders")
    with pytest.raises(jsonschema.ValidationError, match="mars"):
        check({"site": "mars"}, "JobHeaders")


def test_a_placed_job_is_as_described() -> None:
    headers = JOB.to_message("vm.vm1", 0).headers
    check(headers, "JobHeaders")
    check(headers, "HopHeaders")


def test_an_answer_is_as_described() -> None:
    answer = Answer.refusal(JOB, Problem.of(Kind.EXPIRED, "Late."), vm="vm1", route="vm", ran_ms=1)
    check(answer.to_message("q").headers, "AnswerHeaders")
    check(json.loads(answer.body), "Problem")


def test_an_event_is_as_described() -> None:
    event = JobEvent(state="done", job="1", operation="sketch", at_ms=1, vm="vm1", route="vm")
    check(json.loads(event_message(event, event.key).body), "JobEvent")


def test_each_kind_of_problem_has_its_example() -> None:
    examples = COMPONENTS["messages"]["problem"]["examples"]
    assert [example["name"] for example in examples] == [kind.value.slug for kind in Kind]
    for example in examples:
        check(example["payload"], "Problem")


def test_each_property_of_a_job_is_one_that_is_read() -> None:
    described = COMPONENTS["messages"]["job"]["x-amqp-properties"]
    assert described.keys() <= Message.__dataclass_fields__.keys()
