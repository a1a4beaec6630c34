"""What the history tells of jobs whose tickets are still there."""

from typing import Any

import pytest

from bridge.taken_home import Whereabouts, taken_home
from bridge.tickets import Ticket
from bus.clock import now_ms
from bus.events import JobEvent, event_message
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import DEFAULT_EXCHANGE, EVENTS_HISTORY, Topology, shared
from bus.wire import MOST
from tests.bridge.test_tickets import NOW, number, ticket

TOPOLOGY = Topology(queues=tuple(queue for queue in shared().queues if queue.name == EVENTS_HISTORY))
TAKEN_UP = NOW - 5000


def sent(n: int = 1, **job: Any) -> Ticket:
    given: dict[str, Any] = {"placement": f"p{n}", "received_ms": TAKEN_UP} | job
    return ticket(n, **given)


def told(state: Any = "routed", placement: str = "p1", **fields: Any) -> JobEvent:
    given: dict[str, Any] = {"job": "j1", "user": "anna", "at_ms": NOW, "waited_ms": NOW - TAKEN_UP} | fields
    return JobEvent(state=state, operation="sketch", placement=placement, **given)


def void(*events: JobEvent, tickets: tuple[Ticket, ...] = (sent(),)) -> list[str]:
    where = Whereabouts(tickets)
    for event in events:
        where.hear(event)
    return list(where.void)


@pytest.mark.parametrize("state", ["routed", "waiting", "parked"])
def test_a_job_that_the_router_has_again_voids_its_ticket(state: str) -> None:
    assert void(told(), told(state, "p2")) == [number(1)]


@pytest.mark.parametrize("state", ["sent", "running", "retried", "done", "failed"])
def test_what_others_tell_of_a_job_voids_nothing(state: str) -> None:
    assert void(told(), told(state, "p2")) == []


def test_what_was_before_the_overflow_voids_nothing_whatever_the_clocks_say() -> None:
    assert void(told("waiting"), told(placement="p0"), told(at_ms=NOW - 10, waited_ms=NOW - 10 - TAKEN_UP)) == []
    assert void(told(placement="p2")) == []  # whether that was before or after is not known


def test_another_job_under_the_same_id_voids_nothing() -> None:
    assert void(told(), told(placement="p2", waited_ms=0)) == []
    assert void(told(), told(placement="p2", user="ben")) == []
    assert void(told(), told(placement="p2", waited_ms=None)) == []


def test_each_ticket_is_judged_by_its_own_placement() -> None:
    both = (sent(1, id="j1"), sent(2, id="j1"))
    assert void(told(placement="p1"), told(placement="p2"), tickets=both) == [number(1)]
    assert void(told(), told(placement="p2"), tickets=(sent(placement=None), sent(2, received_ms=None))) == []


def _of_history(event: JobEvent) -> Message:
    return event_message(event, EVENTS_HISTORY)


@pytest.mark.broker
async def test_the_history_is_read_from_before_the_oldest_ticket(amqp_url: str) -> None:
    async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
        messages = [_of_history(told()), Message(b'{"kind":"job","state":"routed"?', EVENTS_HISTORY)]
        for message in [*messages, _of_history(told("done")), _of_history(told(placement="p2"))]:
            await bus.publish(DEFAULT_EXCHANGE, message)
        old, absurd = sent().model_copy(update={"sent_ms": 0}), sent(3).model_copy(update={"sent_ms": MOST})
        now = now_ms()
        assert await taken_home(bus, [old, absurd], now) == [old]
        assert await taken_home(bus, [absurd], now) == []


@pytest.mark.broker
async def test_a_history_that_can_not_be_read_voids_nothing(amqp_url: str, caplog: pytest.LogCaptureFixture) -> None:
    bus = Bus(amqp_url, name="test", topology=TOPOLOGY)
    assert await taken_home(bus, [sent()], NOW) == []
    assert "answered twice" in caplog.text
    assert await taken_home(bus, [], NOW) == []
