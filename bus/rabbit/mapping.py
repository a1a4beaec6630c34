"""AMQP properties to `Message` and back, as pika has them."""

from datetime import datetime
from typing import Any

from pika.spec import BasicProperties

from bus.messages import Message

_LEAST, _MOST = -(2**63), 2**63 - 1
_FIELDS = ("content_type", "message_id", "correlation_id", "reply_to", "expiration", "priority")


def properties_of(message: Message, delivery_mode: int) -> BasicProperties:
    """The AMQP properties of a message; `delivery_mode` 2 is persistent, 1 transient."""
    given = {name: getattr(message, name) for name in _FIELDS}
    return BasicProperties(
        **given, headers=writable(dict(message.headers)), timestamp=message.timestamp, delivery_mode=delivery_mode
    )


def message_of(routing_key: str, properties: BasicProperties, body: bytes) -> Message:
    """What was delivered, without the client library in it."""
    given = {name: getattr(properties, name) for name in _FIELDS}
    return Message(
        **given, body=body, routing_key=routing_key, headers=properties.headers or {}, timestamp=properties.timestamp
    )


def writable(value: Any) -> Any:
    """A header's value as pika can write it: what it has no kind for (a float, a number past 64 bits) becomes text."""
    if isinstance(value, dict):
        return {key: writable(item) for key, item in value.items()}
    if isinstance(value, list):
        return [writable(item) for item in value]
    if isinstance(value, int):
        return value if _LEAST <= value <= _MOST else str(value)
    return value if value is None or isinstance(value, str | bytes | datetime) else str(value)
