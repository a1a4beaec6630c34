"""A job that comes twice is run once: repeated by its caller, or given out again by the broker."""

import pytest

from tests.bus.rabbit.foreign import eventually, network
from tests.consumers.desk import SHORT, Desk, desk, problem
from tests.consumers.operations.pictures import opened, photograph

pytestmark = pytest.mark.broker

OTHER = photograph("chelsea")


def times(desk: Desk, state: str) -> dict[str | None, tuple[bool, bool]]:
    """By placement, whether an end tells how long its job waited and ran."""
    ends = [event for event in desk.events if event.state == state]
    return {event.placement: (event.waited_ms is not None, event.ran_ms is not None) for event in ends}


async def test_a_repeat_is_answered_again_and_not_run_again(vm: Desk) -> None:
    vm.send(headers={"placement": "p1"})
    first = await vm.answer()
    vm.freeze()  # nothing can run now
    elsewhere = vm.foreign.queue()
    vm.send(headers={"placement": "p2"}, reply_to=elsewhere, correlation_id="again")
    again = await vm.foreign.get(elsewhere)
    assert again.body == first.body
    assert again.properties.correlation_id == "again"
    assert again.headers == first.headers
    await vm.told("done", 2)
    assert vm.count("running") == 1
    assert times(vm, "done") == {"p1": (True, True), "p2": (False, False)}


async def test_a_repeat_of_a_problem_is_told_as_a_problem(vm: Desk) -> None:
    for placement in ("p1", "p2"):
        vm.send(b"Dear Sir or Madam", headers={"placement": placement})
        assert problem(await vm.answer())["slug"] == "not-an-image"
    await vm.told("failed", 2)
    assert (vm.count("running"), vm.count("done")) == (1, 0)
    assert times(vm, "failed") == {"p1": (True, True), "p2": (False, False)}


async def test_the_same_id_with_another_picture_is_another_job(vm: Desk) -> None:
    vm.send()
    await vm.answer()
    vm.send(OTHER)
    assert opened((await vm.answer()).body).size == opened(OTHER).size
    await vm.told("done", 2)
    assert vm.count("running") == 2


async def test_a_repeat_that_comes_during_the_run_waits_for_it(vm: Desk) -> None:
    vm.freeze()
    vm.send(headers={"placement": "p1"}, correlation_id="1")
    vm.send(headers={"placement": "p2"}, correlation_id="2")
    await eventually(lambda: [len(held.followers) for held in vm.worker._held.values()] == [1])
    assert vm.worker.report().held == ("p1", "p2")  # each takes a place
    vm.thaw()
    answers = [await vm.answer(), await vm.answer()]
    assert {got.properties.correlation_id for got in answers} == {"1", "2"}
    assert answers[0].body == answers[1].body
    await vm.told("done", 2)
    assert vm.count("running") == 1
    assert times(vm, "done") == {"p1": (True, True), "p2": (False, False)}
    await vm.settled()


@pytest.mark.parametrize("attempt", [1, 3])
async def test_a_job_redelivered_after_a_lost_connection_follows_its_run_and_is_answered_once(
    amqp_url: str, attempt: int
) -> None:
    async with network(amqp_url) as between, desk(amqp_url, through=between.url) as vm:
        vm.freeze()
        vm.send(headers={"attempt": attempt, "placement": "p1"})
        await vm.told("running")
        between.cut()
        await eventually(lambda: not vm.bus.connected)
        between.mend()
        await eventually(lambda: [len(held.followers) for held in vm.worker._held.values()] == [1])
        vm.thaw()
        assert (await vm.answer()).properties.content_type == "image/jpeg"
        await vm.told("done")
        await vm.settled()
        assert vm.foreign.taken(vm.replies) is None
        assert vm.count("running") == 1
        assert times(vm, "done") == {"p1": (True, True)}  # nobody told of the run before


async def test_a_run_that_failed_is_told_once_for_all_that_is_handed_back(amqp_url: str) -> None:
    async with desk(amqp_url, SHORT) as vm:
        vm.freeze()
        vm.send(headers={"placement": "p1"})
        vm.send(headers={"placement": "p2"})
        await eventually(lambda: [len(held.followers) for held in vm.worker._held.values()] == [1])
        await vm.told("retried", 2)
        assert times(vm, "retried") == {"p1": (False, True), "p2": (False, False)}


async def test_an_answer_that_a_lost_connection_swallowed_is_given_again(amqp_url: str) -> None:
    async with network(amqp_url) as between, desk(amqp_url, through=between.url) as vm:
        vm.freeze()
        vm.send(headers={"placement": "p1"})
        await vm.told("running")
        between.cut()
        await eventually(lambda: not vm.bus.connected)
        vm.thaw()
        await eventually(lambda: vm.worker.report().held == ())
        between.mend()
        assert (await vm.answer()).properties.content_type == "image/jpeg"
        await vm.told("done")
        assert vm.count("running") == 1
        assert times(vm, "done") == {"p1": (True, True)}
        await vm.settled()


async def test_what_waits_when_the_connection_is_lost_is_taken_once(amqp_url: str) -> None:
    async with network(amqp_url) as between, desk(amqp_url, through=between.url) as vm:
        vm.freeze()
        vm.send()
        vm.send(OTHER, message_id="j2")
        await eventually(lambda: set(vm.worker.report().held) == {"j1", "j2"})
        between.cut()
        await eventually(lambda: vm.worker.report().held == ("j1",))
        between.mend()
        await eventually(lambda: set(vm.worker.report().held) == {"j1", "j2"})
        vm.thaw()
        assert {(await vm.answer()).headers["job"] for _ in range(2)} == {"j1", "j2"}
        await vm.settled()
        assert vm.foreign.taken(vm.replies) is None
