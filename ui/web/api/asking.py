"""What a request asks to be done to its picture: the fields of its form and its query, checked. Pure."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from bus.errors import BadInput
from bus.messages import JobHeaders
from bus.problems import Kind, Problem, bad_field
from consumers.operations.registry import REGISTRY
from ui.web.api.names import plain_name
from ui.web.jobs.record import Order, Site
from ui.web.people.person import Person

BATCH: Final = 0
INTERACTIVE: Final = 5
"""A page's jobs have someone waiting for them; a program says so if its have."""


class Asked(BaseModel):
    """The fields, as text or as what they mean."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    operation: str
    params: str = ""
    site: Site = "any"
    priority: int | None = Field(None, ge=0, le=9)
    name: str = ""


def order_of(person: Person, given: Mapping[str, str], idempotency_key: str | None = None) -> Order:
    """The order that the fields make. Raises BadInput naming the field that is wrong."""
    asked = _asked(given)
    priority = asked.priority
    if priority is None:
        priority = BATCH if person.via == "token" else INTERACTIVE
    return Order(
        user=person.name,
        operation=asked.operation,
        params=_params(asked.operation, asked.params),
        name=plain_name(asked.name),
        site=asked.site,
        priority=priority,
        idempotency_key=idempotency_key,
    )


def _asked(given: Mapping[str, str]) -> Asked:
    try:
        return Asked.model_validate(given)
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None


def _params(operation: str, text: str) -> dict[str, Any]:
    """The operation's parameters, those not given as it would have them."""
    if operation not in REGISTRY:
        detail = f"operation: {operation[:80]!r} is none; there are {', '.join(REGISTRY)}."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field="operation", remedy="Name one of those."))
    try:
        params = JobHeaders.model_validate({"params": text}).params
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None
    return REGISTRY[operation].parse(params).model_dump(mode="json", exclude_unset=True)
