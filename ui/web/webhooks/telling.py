"""What webhooks are told of a job that ended. Pure."""

import json
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any

from ui.web.jobs.record import Record
from ui.web.webhooks.deliveries import Delivery
from ui.web.webhooks.hooks import Hook

Shown = Callable[[Record], dict[str, Any]]
"""A job as the HTTP API shows it."""


def told(
    hooks: Iterable[Hook], record: Record, now_ms: int, shown: Shown, new_id: Callable[[], str]
) -> list[tuple[Hook, Delivery]]:
    """What is to be told of a job that ended: to each webhook that is on and asked for such an end."""
    asked = [hook for hook in hooks if record.state in hook.events and hook.switched_off is None]
    if not asked:
        return []
    body = message(f"job.{record.state}", now_ms, shown(record))
    return [(hook, _delivery(new_id(), hook, record.state, record.id, body, now_ms)) for hook in asked]


def trial(hook: Hook, now_ms: int, new_id: str) -> Delivery:
    """What is sent when somebody tries a webhook out."""
    body = message("webhook.test", now_ms, {"webhook": hook.id, "events": list(hook.events)})
    return _delivery(new_id, hook, "test", None, body, now_ms)


def message(kind: str, now_ms: int, data: dict[str, Any]) -> bytes:
    """The body of a delivery; the moment in ISO 8601, as the specification asks."""
    at = datetime.fromtimestamp(now_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    return json.dumps({"type": kind, "timestamp": at, "data": data}, ensure_ascii=False).encode()


def _delivery(delivery_id: str, hook: Hook, event: str, job: str | None, body: bytes, now_ms: int) -> Delivery:
    return Delivery(delivery_id, hook.id, event, job, body, "waiting", created_ms=now_ms, due_ms=now_ms)
