"""Makes topics and subscriptions what they should be, on Google or on the emulator; a second run changes nothing."""

import logging
from collections.abc import Iterator
from datetime import timedelta
from typing import Any, Final

from google.api_core.exceptions import AlreadyExists, NotFound, PermissionDenied

from bridge.pubsub.clients import CALL, Clients, Faults, said
from bridge.pubsub.resources import DELETED_TOPIC, Push, Resources, Subscription, differences, short
from bus.errors import SetupError

log = logging.getLogger(__name__)

_MASKS: Final = {
    "ack_deadline_s": "ack_deadline_seconds",
    "kept_s": "message_retention_duration",
    "expires_s": "expiration_policy",
    "push": "push_config",
    "retry_s": "retry_policy",
    "dead_topic": "dead_letter_policy",
    "deliveries": "dead_letter_policy",
}
"""Fields that can be changed, by the name Pub/Sub has for them. The others are for life."""


def apply(clients: Clients, wanted: Resources) -> list[str]:
    """Create or update everything; returns a line for each thing done or found right. Blocks.

    Raises SetupError when Pub/Sub refuses or does not answer.
    """
    try:
        return list(_applied(clients, wanted))
    except PermissionDenied as error:
        raise SetupError(
            f"Google does not let us ({said(error)}). Give your account the role roles/pubsub.editor on the project, "
            "or let somebody run `overspill cloud init` who has it."
        ) from error
    except Faults as error:
        raise SetupError(f"Pub/Sub did not do as asked ({said(error)}). Correct that, and run it again.") from error


def found_topic(clients: Clients, name: str) -> bool:
    """Whether a topic is there. Blocks; raises what `Faults` names."""
    try:
        clients.publisher.get_topic(topic=name, **CALL)
    except NotFound:
        return False
    return True


def found_subscription(clients: Clients, name: str) -> Subscription | None:
    """A subscription as it is, or None when it is not there. Blocks; raises what `Faults` names."""
    try:
        return _read(clients.subscriber.get_subscription(subscription=name, **CALL))
    except NotFound:
        return None


def create(clients: Clients, subscription: Subscription) -> None:
    """Create a subscription. Blocks; raises what `Faults` names."""
    clients.subscriber.create_subscription(request=_written(subscription), **CALL)


def delete(clients: Clients, name: str) -> None:
    """Delete a subscription with what is in it. Blocks; raises what `Faults` names."""
    clients.subscriber.delete_subscription(subscription=name, **CALL)


def _applied(clients: Clients, wanted: Resources) -> Iterator[str]:
    """Each topic with its subscription at once: what is published to a topic without one is lost."""
    for topic in wanted.topics:
        yield f"topic {short(topic)}: {_topic(clients, topic)}"
        for subscription in (each for each in wanted.subscriptions if each.topic == topic):
            yield f"subscription {short(subscription.name)}: {_subscription(clients, subscription)}"


def _topic(clients: Clients, name: str) -> str:
    try:
        clients.publisher.create_topic(name=name, **CALL)
    except AlreadyExists:
        return "there"
    return "created"


def _subscription(clients: Clients, wanted: Subscription) -> str:
    try:
        create(clients, wanted)
    except AlreadyExists:
        return _updated(clients, wanted)
    return "created"


def _updated(clients: Clients, wanted: Subscription) -> str:
    found = _read(clients.subscriber.get_subscription(subscription=wanted.name, **CALL))
    wrong = differences(wanted, found)
    if not wrong:
        return "there"
    if found.topic == DELETED_TOPIC:
        # It never gets anything again, and can't be given another topic.
        delete(clients, wanted.name)
        create(clients, wanted)
        return "created anew, its topic had been deleted"
    if for_life := [name for name in wrong if name not in _MASKS]:
        raise SetupError(
            f"The subscription {wanted.name} has another {' and '.join(for_life)}, which can't be changed. Delete it "
            "if it is not in use, or set OVERSPILL_CLOUD_PREFIX to names of your own."
        )
    mask = sorted({_MASKS[name] for name in wrong})
    request = {"subscription": _written(wanted), "update_mask": {"paths": mask}}
    clients.subscriber.update_subscription(request=request, **CALL)
    return f"updated ({', '.join(mask)})"


def _written(subscription: Subscription) -> dict[str, Any]:
    """A subscription as Pub/Sub wants it told."""
    written: dict[str, Any] = {
        "name": subscription.name,
        "topic": subscription.topic,
        "ack_deadline_seconds": subscription.ack_deadline_s,
        "message_retention_duration": timedelta(seconds=subscription.kept_s),
        "expiration_policy": {"ttl": timedelta(seconds=subscription.expires_s)} if subscription.expires_s else {},
        "filter": subscription.filter,
    }
    if subscription.push:
        written["push_config"] = _written_push(subscription.push)
    if subscription.retry_s:
        least, most = (timedelta(seconds=seconds) for seconds in subscription.retry_s)
        written["retry_policy"] = {"minimum_backoff": least, "maximum_backoff": most}
    if subscription.dead_topic:
        written["dead_letter_policy"] = {
            "dead_letter_topic": subscription.dead_topic,
            "max_delivery_attempts": subscription.deliveries,
        }
    return written


def _written_push(push: Push) -> dict[str, Any]:
    token = {"service_account_email": push.account, "audience": push.audience}
    return {"push_endpoint": push.endpoint, **({"oidc_token": token} if push.account else {})}


def _read(found: Any) -> Subscription:
    """A subscription as Pub/Sub told it."""
    push, retry, dead = found.push_config, found.retry_policy, found.dead_letter_policy
    return Subscription(
        name=found.name,
        topic=found.topic,
        ack_deadline_s=found.ack_deadline_seconds,
        kept_s=_seconds(found.message_retention_duration),
        expires_s=_seconds(found.expiration_policy.ttl),
        push=_read_push(push) if push.push_endpoint else None,
        retry_s=(_seconds(retry.minimum_backoff), _seconds(retry.maximum_backoff)) if "retry_policy" in found else None,
        dead_topic=dead.dead_letter_topic,
        deliveries=dead.max_delivery_attempts,
        filter=found.filter,
    )


def _read_push(push: Any) -> Push:
    return Push(push.push_endpoint, push.oidc_token.service_account_email, push.oidc_token.audience)


def _seconds(duration: timedelta | None) -> int:
    return int(duration.total_seconds()) if duration else 0
