"""Connections to Google Pub/Sub, or to its emulator: one client that publishes and one that pulls."""

from functools import partial
from typing import Any, Final

import grpc
from google.api_core.exceptions import GoogleAPICallError, RetryError
from google.api_core.retry import Retry
from google.auth.exceptions import GoogleAuthError
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from bus.errors import SetupError
from bus.settings import Settings

Faults: Final = (GoogleAPICallError, RetryError, GoogleAuthError)
"""All that a call may raise when Pub/Sub does not do as asked."""

PUBLISH_S: Final = 30.0
"""One try to publish a batch: several megabytes over a slow line."""
PUBLISH_TRIES_S: Final = 8.0
"""From the first failure, no try is begun after so long; the job is better off elsewhere then."""
CALL: Final[dict[str, Any]] = {"retry": Retry(initial=0.1, maximum=1.0, multiplier=2.0, timeout=4.0), "timeout": 10.0}
"""How long other calls try: the client's own minute would hold up an opening, an end or a lease."""
_MIB: Final = 1 << 20

_OPTIONS: Final = (
    # The client's own channel to an emulator takes 4 MiB; a larger message then blocks its stream without a word.
    ("grpc.max_receive_message_length", -1),
    ("grpc.max_send_message_length", -1),
    # A peer that restarts is found again within seconds, not within gRPC's two minutes.
    ("grpc.initial_reconnect_backoff_ms", 200),
    ("grpc.min_reconnect_backoff_ms", 1000),
    ("grpc.max_reconnect_backoff_ms", 3000),
)
_BATCHES: Final = pubsub_v1.types.BatchSettings(
    # Pictures: a few make a request worth its while. Small ones wait no longer for company than one costs to send.
    max_messages=50,
    max_bytes=1 * _MIB,
    max_latency=0.005,
)


class Clients:
    """Both clients. Their methods block: call them from a thread, but for `publisher.publish`."""

    def __init__(self, settings: Settings) -> None:
        """Look for credentials, but don't connect yet. Raises SetupError when there are none."""
        self._emulator = settings.pubsub_emulator_host
        options = pubsub_v1.types.PublisherOptions(
            # Bounded by who publishes, who may wait; this client could only block the event loop, or fail.
            flow_control=pubsub_v1.types.PublishFlowControl(
                limit_exceeded_behavior=pubsub_v1.types.LimitExceededBehavior.IGNORE
            ),
            retry=Retry(initial=0.1, maximum=2.0, multiplier=2.0, timeout=PUBLISH_TRIES_S),
            timeout=PUBLISH_S,
        )
        try:
            publishing = _transport(PublisherGrpcTransport, settings)
            self.publisher = pubsub_v1.PublisherClient(_BATCHES, options, transport=publishing)
            self.subscriber = pubsub_v1.SubscriberClient(transport=_transport(SubscriberGrpcTransport, settings))
        except GoogleAuthError as error:
            raise SetupError(
                f"No credentials for Google Pub/Sub ({error}). Run `gcloud auth application-default login`, set "
                "GOOGLE_APPLICATION_CREDENTIALS, or set PUBSUB_EMULATOR_HOST to try it on an emulator."
            ) from None

    @property
    def emulated(self) -> bool:
        """Whether this is the emulator, which forgets everything when it ends."""
        return self._emulator is not None

    def close(self) -> None:
        """Disconnect; what was not sent by now is not sent. May be called once."""
        self.publisher.stop()
        self.publisher.transport.close()
        self.subscriber.close()


def said(error: BaseException) -> str:
    """What an error says, in one line."""
    text = str(getattr(error, "message", "") or error).strip()
    return f"{type(error).__name__}: {text.splitlines()[0][:300]}" if text else type(error).__name__


def _transport(kind: Any, settings: Settings) -> Any:
    if settings.pubsub_emulator_host:
        return kind(channel=grpc.insecure_channel(settings.pubsub_emulator_host, options=_OPTIONS))
    return kind(channel=partial(_secure, kind))


def _secure(kind: Any, host: str, *, options: Any = (), **given: Any) -> grpc.Channel:
    """Google's own channel with our options on top of its own: their limits are lifted too, but not in all versions."""
    ours = {name for name, _ in _OPTIONS}
    kept = [(name, value) for name, value in options if name not in ours]
    return kind.create_channel(host, options=[*kept, *_OPTIONS], **given)
