"""What went wrong between us and the broker, in words, and whether trying again can help."""

from pika.adapters.utils.connection_workflow import AMQPConnectionWorkflowFailed, AMQPConnectorPhaseErrorBase
from pika.exceptions import (
    AMQPConnectionError,
    ChannelClosedByBroker,
    IncompatibleProtocolError,
    ProbableAccessDeniedError,
    ProbableAuthenticationError,
)

from bus.errors import SetupError


def said(error: BaseException) -> str:
    """What went wrong, in words: pika wraps the cause several times."""
    while (inner := _cause(error)) is not None:
        error = inner
    return f"{type(error).__name__} {error}".strip()


def _cause(error: BaseException) -> BaseException | None:
    """What pika's wrapper holds: the last of several tries, or the one error it was made of."""
    if isinstance(error, AMQPConnectionWorkflowFailed):
        inner: object = error.exceptions[-1] if error.exceptions else None
    elif isinstance(error, AMQPConnectorPhaseErrorBase):
        inner = error.exception
    else:
        inner = error.args[0] if isinstance(error, AMQPConnectionError) and error.args else None
    return inner if isinstance(inner, BaseException) else None


def setup_fault(error: BaseException, address: str) -> SetupError | None:
    """The remedy, when trying again can't help until someone mends the broker or a setting; else None."""
    if isinstance(error, ProbableAuthenticationError | ProbableAccessDeniedError | IncompatibleProtocolError):
        return SetupError(f"The broker at {address} refuses the connection ({said(error)}). Correct AMQP_URL.")
    text = str(getattr(error, "reply_text", ""))
    if "unknown exchange type 'x-consistent-hash'" in text or "invalid exchange type 'x-consistent-hash'" in text:
        return SetupError(
            f"The broker at {address} lacks a plugin. Run: rabbitmq-plugins enable rabbitmq_consistent_hash_exchange"
        )
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == 406 and "inequivalent arg" in text:
        return SetupError(
            f"The broker at {address} has a queue or exchange of another make ({text}). "
            "Delete it there, or use a virtual host of its own."
        )
    if isinstance(error, ChannelClosedByBroker) and error.reply_code == 403:
        return SetupError(
            f"The broker at {address} does not let us in everywhere ({text}). "
            "Grant the account of AMQP_URL the right to configure, write and read all of its virtual host."
        )
    return None
