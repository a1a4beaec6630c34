"""What is published once connected: with a confirm and a verdict for each message, or as telemetry, without."""

import asyncio
import logging

from bus.errors import BusError, Disconnected, Refused
from bus.messages import Message
from bus.rabbit.faults import said
from bus.rabbit.mapping import properties_of
from bus.rabbit.session import TRANSIENT, Session, fail

log = logging.getLogger(__name__)


class Publishing:
    """What a `Bus` publishes, in the session of the moment; nothing waits here for the next one."""

    address: str
    _session: Session | None

    @property
    def blocked(self) -> bool:
        """Whether the broker, short of memory or disk, has asked publishers to wait."""
        return self._session is not None and self._session.blocked

    def publish(self, exchange: str, message: Message, *, mandatory: bool = True) -> "asyncio.Future[None]":
        """Publish a persistent message; the future ends when the broker has taken responsibility.

        It fails with Unroutable (mandatory, and no queue), Refused (nack) or Disconnected. Publishing many before
        awaiting the first pipelines the confirms.
        """
        session = self._session
        if session is None or not session.can_publish:
            return _failed(Disconnected(f"no connection to the broker at {self.address}"))
        return published(session, exchange, message, mandatory=mandatory)

    def post(self, exchange: str, message: Message) -> bool:
        """Publish telemetry: transient, unconfirmed, and dropped (False) while there is no open way to the broker.

        What AMQP can't carry is dropped too: whoever tells of its work goes on with it.
        """
        session = self._session
        if session is None or not session.can_publish or session.blocked:
            return False
        properties = properties_of(message, TRANSIENT)
        try:
            session.telemetry.basic_publish(exchange, message.routing_key, message.body, properties)
        except Exception as error:  # noqa: BLE001 (pika raises many kinds for what it can't write: one verdict here)
            log.warning("an event for %.80r was dropped: AMQP can't carry it (%s)", message.routing_key, said(error))
            return False
        return True


def published(session: Session, exchange: str, message: Message, *, mandatory: bool) -> "asyncio.Future[None]":
    """Publish in this very session, as `Publishing.publish` does in the one of the moment."""
    try:
        return session.publish(exchange, message, mandatory=mandatory)
    except Exception as error:  # noqa: BLE001 (pika raises many kinds for what it can't write: one verdict here)
        return _failed(Refused(f"AMQP can't carry this message ({type(error).__name__}: {error})"))


def _failed(error: BusError) -> "asyncio.Future[None]":
    future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
    fail(future, error)
    return future
