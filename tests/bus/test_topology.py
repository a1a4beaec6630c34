"""The topology names nothing twice, binds nothing undeclared, and holds to what RabbitMQ 3.10 and 4 both accept."""

import re

import pytest

from bus import topology
from bus.topology import Queue, Topology

SHARED = topology.shared()
ALL_QUEUES = (*SHARED.queues, *topology.of_vm("vm1").queues)


def _work_queues() -> list[Queue]:
    return [queue for queue in ALL_QUEUES if queue.arguments.get("x-dead-letter-exchange") == topology.JOBS_RETURNED]


def test_what_the_router_can_not_answer_is_kept_for_the_operator() -> None:
    for name in (topology.JOBS_UNKNOWN, topology.JOBS_RETURNED):
        (queue,) = (queue for queue in ALL_QUEUES if queue.name == name)
        where = (queue.arguments["x-dead-letter-exchange"], queue.arguments["x-dead-letter-routing-key"])
        assert where == (topology.DEFAULT_EXCHANGE, topology.DEAD)


@pytest.mark.parametrize("kind", ["exchanges", "queues", "bindings"])
def test_nothing_is_declared_twice(kind: str) -> None:
    declared = [repr(item) for item in getattr(SHARED, kind)]
    assert len(declared) == len(set(declared)) > 0


def test_every_binding_joins_what_is_declared() -> None:
    exchanges = {exchange.name for exchange in SHARED.exchanges}
    queues = {queue.name for queue in SHARED.queues}
    for binding in SHARED.bindings:
        assert binding.source in exchanges
        assert binding.destination in (exchanges if binding.to_exchange else queues)


def test_every_queue_is_bound_except_those_that_are_addressed_by_name() -> None:
    bound = {binding.destination for binding in SHARED.bindings}
    by_name = {queue.name for queue in SHARED.queues} - bound
    assert by_name == {topology.DEAD, topology.CLOUD_TICKETS, *map(topology.parked_queue, topology.OPERATIONS)}


def test_each_operation_reaches_the_lanes() -> None:
    keys = {binding.key for binding in SHARED.bindings if binding.source == topology.JOBS}
    assert keys == set(topology.OPERATIONS)


def test_a_job_of_an_unknown_operation_is_kept_by_the_alternate_exchange() -> None:
    jobs = next(exchange for exchange in SHARED.exchanges if exchange.name == topology.JOBS)
    assert jobs.arguments["alternate-exchange"] == topology.JOBS_UNKNOWN
    position = [exchange.name for exchange in SHARED.exchanges]
    assert position.index(topology.JOBS_UNKNOWN) < position.index(topology.JOBS)


def test_users_are_hashed_over_sixteen_lanes_of_one_weight() -> None:
    weights = [(b.destination, b.key) for b in SHARED.bindings if b.source == topology.JOBS_LANES]
    assert weights == [(f"lane.{n:02d}", "1") for n in range(16)]


def test_heartbeats_go_out_by_a_fanout_that_feeds_the_events() -> None:
    kinds = {exchange.name: exchange.type for exchange in SHARED.exchanges}
    assert kinds[topology.HEARTBEATS] == "fanout"
    assert topology.Binding(topology.HEARTBEATS, topology.EVENTS, to_exchange=True) in SHARED.bindings


def test_jobs_lie_in_quorum_queues_that_lose_none() -> None:
    assert len(_work_queues()) == 16 + 3 + 1 + 1
    for queue in _work_queues():
        assert queue.arguments["x-queue-type"] == "quorum"
        assert queue.arguments["x-dead-letter-exchange"] == topology.JOBS_RETURNED
        assert queue.arguments["x-dead-letter-strategy"] == "at-least-once"
        # At-least-once dead-lettering asks for this overflow; with another the broker silently gives at-most-once.
        assert queue.arguments["x-overflow"] == "reject-publish"


def test_every_quorum_queue_sets_the_delivery_limit_that_rabbitmq_4_would_choose_otherwise() -> None:
    quorum = [queue for queue in ALL_QUEUES if queue.arguments["x-queue-type"] == "quorum"]
    assert all(queue.arguments["x-delivery-limit"] >= 20 for queue in quorum)


def test_nothing_is_used_that_rabbitmq_4_drops_on_such_queues() -> None:
    gone = {"x-queue-mode", "x-max-priority", "x-queue-master-locator", "x-ha-policy"}
    assert [queue.name for queue in ALL_QUEUES if gone & queue.arguments.keys()] == []


def test_one_router_at_a_time_reads_the_lanes_and_has_the_orders_and_one_bridge_the_tickets() -> None:
    single = {queue.name for queue in ALL_QUEUES if queue.arguments.get("x-single-active-consumer")}
    lanes = {topology.lane(n) for n in range(topology.LANES)}
    assert single == {*lanes, topology.CONTROL_ROUTER, topology.CLOUD_TICKETS}


def test_what_is_asked_waits_for_a_router_and_vms_may_listen() -> None:
    assert topology.Exchange(topology.CONTROL, "topic") in SHARED.exchanges
    assert topology.Binding(topology.CONTROL, topology.CONTROL_ROUTER, "#") in SHARED.bindings
    queue = next(queue for queue in SHARED.queues if queue.name == topology.CONTROL_ROUTER)
    assert queue.arguments["x-queue-type"] == "quorum"
    assert queue.arguments["x-delivery-limit"] >= 1_000_000  # each router that took the orders over counts


def test_the_history_of_events_is_a_bounded_stream() -> None:
    history = next(queue for queue in SHARED.queues if queue.name == topology.EVENTS_HISTORY)
    assert history.arguments["x-queue-type"] == "stream"
    assert history.arguments["x-max-age"] == "24h"
    assert history.arguments["x-max-length-bytes"] > history.arguments["x-stream-max-segment-size-bytes"]


def test_a_vm_declares_its_own_queue_and_nothing_else() -> None:
    of_vm1 = topology.of_vm("vm1")
    assert [queue.name for queue in of_vm1.queues] == ["vm.vm1"]
    assert of_vm1.bindings == (topology.Binding("vms", "vm.vm1", "vm.vm1"),)
    assert of_vm1.exchanges == Topology().exchanges == ()


@pytest.mark.parametrize("name", ["a", "vm1", "rack-3-gpu-0", "x" * 63])
def test_names_a_vm_may_have(name: str) -> None:
    assert topology.vm_queue(name) == f"vm.{name}"


@pytest.mark.parametrize(("queue", "vm"), [("vm.vm1", "vm1"), ("lane.00", None), ("cloud", None), ("vms", None)])
def test_the_queue_of_a_vm_tells_whose_it_is(queue: str, vm: str | None) -> None:
    assert topology.vm_of(queue) == vm


@pytest.mark.parametrize("name", ["", "VM1", "a.b", "-a", "a-", "a b", "a\n", "é", "x" * 64, "#"])
def test_names_a_vm_may_not_have(name: str) -> None:
    with pytest.raises(ValueError, match=f"VM name {re.escape(repr(name))}: use 1 to 63"):
        topology.vm_queue(name)


@pytest.mark.parametrize("queue", [queue.name for queue in ALL_QUEUES])
def test_every_declared_queue_is_known_as_our_own(queue: str) -> None:
    assert topology.is_internal(queue)


@pytest.mark.parametrize("queue", ["amq.gen-x", topology.DIRECT_REPLY_TO, "my.answers", "vms", "lanes", ""])
def test_a_callers_queue_is_not_our_own(queue: str) -> None:
    assert not topology.is_internal(queue)
