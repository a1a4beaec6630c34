"""AMQP properties to `Message` and back, as pika has them."""

from pika.spec import BasicProperties

from bus.messages import Message

_FIELDS = ("content_type", "message_id", "correlation_id", "reply_to", "expiration", "priority")


def properties_of(message: Message, delivery_mode: int) -> BasicProperties:
    """The AMQP properties of a message; `delivery_mode` 2 is persistent, 1 transient."""
    given = {name: getattr(message, name) for name in _FIELDS}
    return BasicProperties(
        **given, headers=dict(message.headers), timestamp=message.timestamp, delivery_mode=delivery_mode
    )


def message_of(routing_key: str, properties: BasicProperties, body: bytes) -> Message:
    """What was delivered, without the client library in it."""
    given = {name: getattr(properties, name) for name in _FIELDS}
    return Message(
        **given, body=body, routing_key=routing_key, headers=properties.headers or {}, timestamp=properties.timestamp
    )
