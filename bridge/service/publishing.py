"""Where the cloud service's answers go: one interface, and Google Pub/Sub's results topic behind it."""

import asyncio
from typing import Final, Protocol

import grpc
from google.api_core.exceptions import Aborted, GoogleAPICallError, NotFound, RetryError, ServerError, TooManyRequests
from google.api_core.retry import Retry, if_exception_type
from google.auth.exceptions import GoogleAuthError
from google.pubsub_v1 import PublisherClient
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.types import PubsubMessage

from bridge.envelope import Parcel
from bridge.pubsub.resources import results_topic
from bus.errors import OverspillError, SetupError
from bus.settings import Settings

TRY_S: Final = 15.0
"""One try to publish, seconds."""
TRIES_S: Final = 15.0
"""From the first try on, none is begun after so long; the job is better pushed again, perhaps to another instance."""
_PASSING: Final = (ServerError, TooManyRequests, Aborted)
_RETRY: Final = Retry(predicate=if_exception_type(*_PASSING), initial=0.1, maximum=5.0, multiplier=2.0, timeout=TRIES_S)
_ON_AN_EMULATOR: Final = _RETRY.with_predicate(if_exception_type(*_PASSING, NotFound)).with_delay(maximum=1.0)
"""One that was started anew has no topics until the bridge has made them again, and nobody else will push the job."""
_LIFTED: Final = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]


class ResultsDown(OverspillError):
    """The answer could not be published; it may be later."""


class Results(Protocol):
    """What takes the answers."""

    async def publish(self, parcel: Parcel) -> None:
        """Publish an answer; returns once it is safe with whoever takes it on. Raises ResultsDown."""

    async def close(self) -> None:
        """Disconnect."""


class PubSubResults:
    """The results topic.

    Uses the plain client: the usual one gathers messages into batches, of which one instance has none, and when a batch
    has failed, it answers the next publish with an AssertionError.
    """

    def __init__(self, settings: Settings) -> None:
        """Look for credentials, but don't connect yet.

        Raises SetupError when there are none, or no project is known.
        """
        self._topic = results_topic(settings)
        self._retry = _RETRY if settings.pubsub_emulator_host is None else _ON_AN_EMULATOR
        try:
            self._client = PublisherClient(transport=_transport(settings.pubsub_emulator_host))
        except GoogleAuthError as error:
            raise SetupError(
                f"No credentials for Pub/Sub ({error}). On Cloud Run the service's own account is taken; elsewhere set "
                "GOOGLE_APPLICATION_CREDENTIALS, or PUBSUB_EMULATOR_HOST for an emulator."
            ) from None

    async def publish(self, parcel: Parcel) -> None:
        """Publish an answer; returns once Pub/Sub has it. Raises ResultsDown."""
        message = PubsubMessage(data=parcel.body, attributes=dict(parcel.attributes))
        try:
            await asyncio.to_thread(
                self._client.publish, topic=self._topic, messages=[message], retry=self._retry, timeout=TRY_S
            )
        except (GoogleAPICallError, RetryError, GoogleAuthError) as error:
            raise ResultsDown(f"{self._topic} does not take the answer ({type(error).__name__}: {error})") from error

    async def close(self) -> None:
        """Disconnect."""
        self._client.transport.close()  # type: ignore[no-untyped-call]  # the library types half of itself


def _transport(emulator_host: str | None) -> PublisherGrpcTransport:
    if emulator_host is None:
        return PublisherGrpcTransport()
    return PublisherGrpcTransport(channel=grpc.insecure_channel(emulator_host, options=_LIFTED))
