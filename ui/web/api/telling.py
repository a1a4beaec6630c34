"""Why a job went where it went, in words. Pure."""

from collections.abc import Sequence
from typing import Any

from bus.events import JobEvent
from ui.commands.why_view import in_order, render
from ui.web.api.schema import Why


def why_of(events: Sequence[dict[str, Any]]) -> Why:
    """What was told of a job, oldest first: in lines, with the latest decision's receipt, and as it was told."""
    told = in_order([JobEvent.model_validate(event) for event in events])
    receipt = next((event for event in reversed(told) if event.state == "routed"), None)
    return Why(
        lines=[line.rstrip() for line in render(told).plain.splitlines()] if told else [],
        receipt=None if receipt is None else receipt.model_dump(mode="json", exclude_none=True),
        events=[event.model_dump(mode="json", exclude_none=True) for event in told],
    )
