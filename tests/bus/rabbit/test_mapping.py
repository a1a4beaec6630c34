"""What pika has and what we have say the same."""

from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pika.spec import BasicProperties

from bus.messages import Message
from bus.rabbit.mapping import message_of, properties_of, writable

SHORT = st.text(max_size=60)
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | SHORT | st.binary() | st.decimals()
VALUES = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(SHORT, inner), max_leaves=8)


def through_the_wire(message: Message) -> Message:
    """Encoded as pika sends it and decoded as pika receives it."""
    received = BasicProperties()
    received.decode(b"".join(properties_of(message, 2).encode()))
    return message_of(message.routing_key, received, message.body)


@pytest.mark.parametrize("correlation_id", ["text", "ü" * 127, b"\xff\xfe\x00raw", "x" * 255])
def test_every_property_comes_as_it_was_sent(correlation_id: str | bytes) -> None:
    message = Message(
        b"body", "key", {"user": "anna"}, "image/png", "m1", correlation_id, "replies", "1000", 5, 1_700_000_000
    )
    assert through_the_wire(message) == message


def test_absent_properties_stay_absent() -> None:
    assert through_the_wire(Message(b"", "key")) == Message(b"", "key")


@pytest.mark.parametrize(("mode", "what"), [(2, "persistent"), (1, "transient")])
def test_a_message_is_as_durable_as_was_asked(mode: int, what: str) -> None:
    assert properties_of(Message(), mode).delivery_mode == mode


@pytest.mark.parametrize(
    ("value", "written"),
    [
        (0.5, "0.5"),
        (2**63, str(2**63)),
        (2**63 - 1, 2**63 - 1),
        (True, True),
        (None, None),
        (b"\xff", b"\xff"),
        (Decimal("1.5"), "1.5"),
        (datetime(2026, 1, 1, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)),
        ({"a": [1, 0.5, {"b": 2**70}]}, {"a": [1, "0.5", {"b": str(2**70)}]}),
    ],
)
def test_what_amqp_has_no_room_for_becomes_text(value: Any, written: Any) -> None:
    assert writable(value) == written


@given(st.dictionaries(SHORT, VALUES, max_size=5))
def test_headers_of_any_kind_can_be_sent(headers: dict[str, Any]) -> None:
    assert through_the_wire(Message(headers=headers)).headers.keys() == headers.keys()
