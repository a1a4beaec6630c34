import json
from typing import Any

import pytest

from bus.errors import BadInput
from ui.web.api.asking import order_of
from ui.web.jobs.record import Order
from ui.web.people.person import Person, Via

ANNA = Person("anna", "user", "session")


def order(via: Via = "session", **given: str) -> Order:
    return order_of(Person("anna", "user", via), given)


def refused(**given: str) -> tuple[int, str | None]:
    with pytest.raises(BadInput) as caught:
        order_of(ANNA, given)
    return caught.value.problem.status, caught.value.problem.field


def test_an_order_as_its_fields_say() -> None:
    asked: dict[str, str] = {"operation": "sketch", "params": '{"style": "charcoal"}', "site": "local", "priority": "7"}
    assert order_of(ANNA, {**asked, "name": "../cup.jpg", "unknown": "x"}, "key") == Order(
        user="anna",
        operation="sketch",
        params={"style": "charcoal"},
        name="cup.jpg",
        site="local",
        priority=7,
        idempotency_key="key",
    )


def test_somebody_waits_at_a_page_and_nobody_for_a_program() -> None:
    assert order(operation="caption").priority == 5
    assert order("open", operation="caption").priority == 5
    assert order("token", operation="caption").priority == 0
    assert order("token", operation="caption", priority="5").priority == 5


@pytest.mark.parametrize(
    ("given", "field"),
    [
        ({}, "operation"),
        ({"operation": "paint"}, "operation"),
        ({"operation": "sketch", "params": "{"}, "params"),
        ({"operation": "sketch", "params": "[]"}, "params"),
        ({"operation": "sketch", "params": json.dumps({"style": "oil"})}, "params.style"),
        ({"operation": "sketch", "params": json.dumps({"colour": 1})}, "params.colour"),
        ({"operation": "sketch", "site": "moon"}, "site"),
        ({"operation": "sketch", "priority": "10"}, "priority"),
        ({"operation": "sketch", "priority": "high"}, "priority"),
    ],
)
def test_what_is_wrong_is_named(given: dict[str, Any], field: str) -> None:
    assert refused(**given) == (422, field)
