"""The published contract: valid AsyncAPI, whole in itself, and true to the models and the topology."""

import json
from collections.abc import Iterator
from functools import reduce
from itertools import product
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from bus import asyncapi, topology
from bus.control import Cancel, Drain, Pause
from bus.events import BridgeStatus, JobEvent, event_message

# From npm's @asyncapi/specs 6.11.1, unchanged: Apache-2.0, copyright 2016-2025 AsyncAPI Initiative.
OFFICIAL = Path(__file__).parent.parent / "data" / "asyncapi-3.0.0.json"
DOCUMENT = asyncapi.document("1.2.3")
CHANNELS = DOCUMENT["channels"]


@pytest.fixture(scope="module")
def official() -> jsonschema.Draft7Validator:
    return jsonschema.Draft7Validator(json.loads(OFFICIAL.read_text(encoding="utf-8")))


def references(node: Any) -> Iterator[str]:
    for key, value in node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ():
        if key == "$ref":
            yield value
        else:
            yield from references(value)


def check(value: Any, model: str) -> None:
    """Raise ValidationError where `value` is not what the document says of `model`."""
    jsonschema.validate(value, {"$ref": f"#/components/schemas/{model}", "components": DOCUMENT["components"]})


def test_it_is_valid_by_the_official_schema(official: jsonschema.Draft7Validator) -> None:
    faults = [f"{'/'.join(map(str, error.absolute_path))}: {error.message}" for error in official.iter_errors(DOCUMENT)]
    assert faults == []


def test_the_official_schema_would_tell(official: jsonschema.Draft7Validator) -> None:
    wrong = json.loads(json.dumps(DOCUMENT))
    wrong["channels"]["jobs"]["bindings"]["amqp"]["exchange"]["type"] = "bucket"
    assert not official.is_valid(wrong)


def test_every_reference_leads_somewhere() -> None:
    for reference in references(DOCUMENT):
        place = reference.removeprefix("#/").split("/")
        assert reduce(lambda node, key: node[key], place, DOCUMENT)


def test_the_release_is_named() -> None:
    assert DOCUMENT["info"]["version"] == "1.2.3"


def test_each_exchange_is_described_as_it_is_declared() -> None:
    bindings = [
        channel["bindings"]["amqp"]["exchange"] for channel in CHANNELS.values() if channel_is_exchange(channel)
    ]
    described = {(exchange["name"], exchange["type"]) for exchange in bindings}
    declared = {(exchange.name, exchange.type) for exchange in topology.shared().exchanges}
    assert described == {pair for pair in declared if not pair[0].startswith("jobs.")}  # how the lanes work is our own


def channel_is_exchange(channel: dict[str, Any]) -> bool:
    return bool(channel["bindings"]["amqp"]["is"] == "routingKey")


def test_the_operations_a_caller_may_ask_for_are_listed() -> None:
    assert CHANNELS["jobs"]["parameters"]["operation"]["enum"] == ["sketch", "remove-background", "caption"]


def test_the_states_of_a_job_are_those_of_its_events() -> None:
    for state in CHANNELS["jobEvents"]["parameters"]["state"]["enum"]:
        event = JobEvent(state=state, job="1", operation="sketch", at_ms=1)
        assert event.key == f"job.{state}.sketch"


COMMANDS = [
    ("cancels", Cancel(job="1")),
    *(("drains", Drain(vm="vm1", resume=resume)) for resume in (False, True)),
    *(("pauses", Pause(operation="sketch", resume=resume)) for resume in (False, True)),
]


@pytest.mark.parametrize(("channel", "command"), COMMANDS)
def test_a_command_is_as_described_and_so_is_its_key(channel: str, command: Cancel | Drain | Pause) -> None:
    check(json.loads(command.model_dump_json()), type(command).__name__)
    words = {"vm": ["vm1"]} | {
        name: parameter["enum"]
        for name, parameter in CHANNELS[channel].get("parameters", {}).items()
        if "enum" in parameter
    }
    keys = [dict(zip(words, chosen, strict=True)) for chosen in product(*words.values())]
    assert command.key in {CHANNELS[channel]["address"].format(**key) for key in keys}


def test_what_a_bridge_says_is_as_described() -> None:
    for state in CHANNELS["bridgeEvents"]["parameters"]["state"]["enum"]:
        status = BridgeStatus(bridge="b", state=state, at_ms=1)
        assert status.key == f"bridge.{state}"
        check(json.loads(event_message(status, status.key).body), "BridgeStatus")
