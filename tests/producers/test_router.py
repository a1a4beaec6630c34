"""The router's shell on a real broker: what the dispatcher decides is done, and settled only then."""

import asyncio
import contextlib
import json
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest

from bus.events import Heartbeat, JobEvent, RouterStatus, heartbeat_key, read_event
from bus.messages import Job
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from bus.topology import (
    DEAD,
    EVENTS,
    HEARTBEATS,
    JOBS,
    JOBS_LANES,
    LANES,
    OVERFLOW,
    VMS,
    lane,
    of_vm,
    parked_queue,
    shared,
    vm_queue,
)
from producers.admission import Config
from producers.dispatcher import Dispatcher
from producers.intake import Intake
from producers.placement import replay
from producers.router import Router, serve_router
from telemetry.fleet import Fleet
from telemetry.fleet import Rules as FleetRules
from tests.bus.rabbit.foreign import Foreign, Got, eventually, network

LIMIT = 1000
PATIENT = Settings(beat_interval_s=60)
"""A VM heard of once stays alive for the test."""
IMPATIENT = Settings(beat_interval_s=0.3)


class Site:
    """A router at work, callers before it, and VMs behind it that a test plays itself."""

    def __init__(self, bus: Bus, foreign: Foreign, router: Router) -> None:
        self.bus = bus
        self.router = router
        self.foreign = foreign
        self.replies = foreign.queue()
        self._told = foreign.listen(EVENTS, "#")
        self._seq = 0

    def job(self, operation: str = "sketch", body: bytes = b"picture", **properties: Any) -> None:
        given = {"reply_to": self.replies, "message_id": "j1", "headers": {"user": "anna"}} | properties
        self.foreign.publish(JOBS, operation, body, **given)

    def beat(self, vm: str = "vm1", **changes: Any) -> None:
        self._seq += 1
        figures: dict[str, Any] = {"cpu_percent": 5.0, "ram_percent": 30.0, "cores": 2, "slots": 1, "look_ahead": 1}
        figures |= {"operations": ("sketch",), "worker": "ready"} | changes
        beat = Heartbeat(vm=vm, session=f"{vm}'s", started_ms=1, seq=self._seq, at_ms=1, **figures)
        self.foreign.publish(HEARTBEATS, heartbeat_key(vm), beat.model_dump_json().encode())

    async def vm(self, name: str = "vm1") -> None:
        """A VM with a queue, heard of for the first time."""
        await self.bus.declare(of_vm(name))
        self.beat(name)

    async def placed(self, vm: str = "vm1") -> Got:
        return await self.foreign.get(vm_queue(vm))

    async def problem(self) -> dict[str, Any]:
        got = await self.foreign.get(self.replies)
        told: dict[str, Any] = json.loads(got.body)
        told["slug"] = told["type"].rpartition(":")[2]
        return told

    async def told(self, state: str) -> JobEvent:
        """The next event of this state."""
        while True:
            event = read_event((await self.foreign.get(self._told)).body)
            if isinstance(event, JobEvent) and event.state == state:
                return event

    async def status(self) -> RouterStatus:
        while True:
            event = read_event((await self.foreign.get(self._told)).body)
            if isinstance(event, RouterStatus):
                return event

    async def settled(self) -> None:
        """The router holds nothing, and nothing lies where it takes jobs from."""
        await eventually(lambda: not self.router.holds)
        await self.bus.close()
        ours = [*map(lane, range(LANES)), "jobs.unknown", "jobs.returned", parked_queue("sketch")]
        await eventually(lambda: all(self.foreign.depth(queue) == 0 for queue in ours))


@contextlib.asynccontextmanager
async def at_work(url: str, through: str, settings: Settings, *, holds: int = 1 << 20) -> AsyncIterator[Site]:
    async with Bus(through, name="test", topology=shared()) as bus:
        with Foreign(url) as foreign:
            dispatcher = Dispatcher(
                Fleet(FleetRules.of(settings)), Config(max_image_bytes=LIMIT), name="r1", session="r"
            )
            intake = Intake(map(lane, range(LANES)), 2, holds)
            site = Site(bus, foreign, Router(bus, dispatcher, intake, listen_s=0.1))
            task = asyncio.create_task(site.router.run())
            while not (await site.status()).active:  # it hears heartbeats by then
                pass
            yield site
            assert not task.done()  # it outlives whatever a test sent
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)


@pytest.fixture
async def site(amqp_url: str) -> AsyncIterator[Site]:
    async with at_work(amqp_url, amqp_url, PATIENT) as site:
        yield site


pytestmark = pytest.mark.broker


async def test_a_job_is_placed_on_a_vm_and_leaves_its_lane(site: Site) -> None:
    await site.vm()
    site.job(correlation_id=b"\xffmine", priority=7, headers={"user": "anna", "params": {"format": "png"}})
    got = await site.placed()
    assert (got.body, got.properties.message_id, got.properties.reply_to) == (b"picture", "j1", site.replies)
    assert (got.properties.correlation_id, got.properties.priority) == (b"\xffmine", 7)
    assert got.properties.delivery_mode == 2
    expected = {"user": "anna", "operation": "sketch", "attempt": 1, "params": '{"format": "png"}', "site": "any"}
    assert expected.items() <= got.headers.items()
    routed = await site.told("routed")
    assert (routed.job, routed.vm, routed.candidates[0].vm) == ("j1", "vm1", "vm1")
    assert replay(routed) == "vm1"  # the receipt alone gives the same choice
    await site.settled()


async def test_the_next_job_waits_in_its_lane_until_a_vm_says_that_one_is_done(site: Site) -> None:
    await site.vm()
    for number in range(3):
        site.job(message_id=f"j{number}")
    placement = (await site.placed()).properties.headers["placement"]
    await site.placed()
    assert (await site.status()).waiting.keys() <= {"sketch"}
    assert site.foreign.taken(vm_queue("vm1")) is None
    done = JobEvent(state="done", job="j0", operation="sketch", vm="vm1", at_ms=1, placement=placement)
    site.foreign.publish(EVENTS, done.key, done.model_dump_json().encode())
    assert (await site.placed()).properties.message_id == "j2"
    await site.settled()


async def test_an_operation_that_nobody_knows_is_answered(site: Site) -> None:
    site.job("sharpen")
    told = await site.problem()
    assert (told["slug"], told["field"]) == ("unknown-operation", "routing_key")
    assert "'sharpen'" in told["detail"]
    assert (await site.told("failed")).problem == "unknown-operation"
    await site.settled()


BAD: dict[str, tuple[dict[str, Any], str]] = {
    "no picture": ({"body": b""}, "empty-image"),
    "too many bytes": ({"body": bytes(LIMIT + 1)}, "too-many-bytes"),
    "a user that is a list": ({"headers": {"user": ["anna"]}}, "bad-field"),
    "params that are no JSON": ({"headers": {"params": "{"}}, "bad-field"),
}


@pytest.mark.parametrize(("message", "slug"), BAD.values(), ids=BAD)
async def test_a_job_that_cannot_run_anywhere_is_answered_at_once(
    site: Site, message: dict[str, Any], slug: str
) -> None:
    site.job(**message)
    assert (await site.problem())["slug"] == slug
    assert (await site.told("failed")).job == "j1"
    await site.settled()


async def test_a_job_that_expires_in_its_lane_is_answered(site: Site) -> None:
    site.job(expiration="1")
    assert (await site.problem())["slug"] == "expired"
    await site.settled()


async def test_a_job_that_nobody_waits_for_is_kept_for_the_operator(site: Site) -> None:
    await site.vm()
    site.job(reply_to=None)
    dead = await site.foreign.get(DEAD)
    assert (dead.body, dead.headers["operation"]) == (b"picture", "sketch")
    assert "reply_to" in dead.headers["reason"]
    assert (await site.told("unanswerable")).job == "j1"
    await site.settled()


async def test_a_problem_whose_caller_is_gone_is_told_and_settled(site: Site) -> None:
    site.job("sharpen", reply_to="nobody-listens-here")
    assert "nobody-listens-here" in ((await site.told("unanswerable")).reason or "")
    await site.settled()


async def test_a_job_of_an_operation_that_no_vm_serves_is_parked_until_one_does(site: Site) -> None:
    site.beat(operations=("caption",))
    site.job(timestamp=1_800_000_000)
    assert (await site.told("parked")).job == "j1"
    assert (await site.status()).waiting.keys() == {"sketch"}
    await site.vm()
    assert (await site.placed()).headers["attempt"] == 1
    assert (await site.told("routed")).sent_ms == 1_800_000_000_000, "it stays what its caller told"
    await site.settled()


async def test_garbage_among_heartbeats_and_events_is_passed_over_and_told_once_a_key(
    site: Site, caplog: pytest.LogCaptureFixture
) -> None:
    for body in (b"", b"\xff\xfe", b"[]", b'{"kind": "heartbeat"}', b'{"kind": "vm", "state": "lost"}'):
        site.foreign.publish(HEARTBEATS, "vm.heartbeat.vm1", body)
        site.foreign.publish(EVENTS, "job.done.sketch", body)
    await site.vm()
    site.job()
    assert (await site.placed()).body == b"picture"
    assert caplog.text.count("What came under 'vm.heartbeat.vm1' is no event") == 1
    assert caplog.text.count("What came under 'job.done.sketch' is no event") == 1


async def test_a_vm_without_a_queue_loses_no_job(site: Site) -> None:
    site.beat("ghost")
    site.job()
    await asyncio.sleep(0)
    await site.vm("vm1")
    assert (await site.placed("vm1")).properties.message_id == "j1"
    await site.settled()


async def test_jobs_in_a_lost_vms_queue_go_elsewhere(amqp_url: str) -> None:
    async with at_work(amqp_url, amqp_url, IMPATIENT) as site:
        await site.vm("vm1")
        site.job()
        assert (await site.told("routed")).vm == "vm1"
        await eventually(lambda: site.foreign.depth(vm_queue("vm1")) == 0)  # vm1 falls silent, and is emptied
        await site.vm("vm2")
        got = await site.placed("vm2")
        assert (got.properties.message_id, got.headers["attempt"]) == ("j1", 1)


async def test_a_lost_connection_loses_and_repeats_no_job(amqp_url: str) -> None:
    async with network(amqp_url) as between, at_work(amqp_url, between.url, PATIENT, holds=1) as site:
        await site.vm()
        for number in range(4):
            site.job(message_id=f"j{number}")
        for _ in range(2):
            await site.told("routed")
        # The lane gives two jobs at a time: those that follow come once the broker has taken the first ones' acks.
        while (await site.status()).queued < 2:
            pass
        between.cut()
        await eventually(lambda: not site.bus.connected)
        between.mend()
        await eventually(lambda: site.bus.connected)
        got = [(await site.placed()).properties.message_id for _ in range(2)]
        site.beat(slots=4)
        got += [(await site.placed()).properties.message_id for _ in range(2)]
        assert sorted(str(job) for job in got) == ["j0", "j1", "j2", "j3"]
        await site.settled()


@pytest.fixture
def foreign(amqp_url: str) -> Iterator[Foreign]:
    with Foreign(amqp_url) as client:
        yield client


async def test_a_router_serves_until_it_is_told_to_stop(amqp_url: str, foreign: Foreign) -> None:
    foreign.channel.exchange_declare(EVENTS, "topic", durable=True)
    told = foreign.listen(EVENTS, "router.status")
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_router(Settings(), amqp_url, stop))
    status = read_event((await foreign.get(told)).body)
    assert isinstance(status, RouterStatus)
    foreign.channel.exchange_declare(VMS, passive=True)
    stop.set()
    await serving
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_router_that_waits_for_its_broker_can_be_stopped() -> None:
    stop = asyncio.Event()
    serving = asyncio.create_task(serve_router(Settings(), "amqp://127.0.0.1:1", stop))
    await asyncio.sleep(0)
    stop.set()
    await serving
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_job_that_a_fault_of_ours_drops_is_answered_and_held_no_longer(
    site: Site, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fault(*_: object) -> None:
        raise RuntimeError("a fault of ours")

    with monkeypatch.context() as patched:
        patched.setattr(site.router._dispatcher, "arrived", fault)
        site.job()
        assert (await site.problem())["slug"] == "too-many-attempts"
    await site.vm()
    site.job(message_id="j2")
    assert (await site.placed()).properties.message_id == "j2"
    await site.settled()


async def test_a_clients_hop_headers_are_not_believed(site: Site) -> None:
    await site.vm()
    lies = {"user": "anna", "attempt": 99, "history": "[]", "received_ms": 1, "deadline_ms": 1, "placement": "p"}
    site.job(headers=lies)
    got = await site.placed()
    assert (got.headers["attempt"], "history" in got.headers, "deadline_ms" in got.headers) == (1, False, False)
    assert got.headers["placement"] != "p"
    assert got.headers["received_ms"] > 1
    await site.settled()


async def test_what_a_bridge_had_taken_when_it_died_goes_to_a_vm(amqp_url: str) -> None:
    """It is killed with jobs unacked: the broker has them in `overflow` again, and the router takes them home."""
    async with network(amqp_url) as between, at_work(amqp_url, amqp_url, PATIENT) as site:
        taken: list[str | None] = []
        async with Bus(between.url, name="bridge", topology=shared()) as bridge:
            await bridge.consume(OVERFLOW, lambda delivery: taken.append(delivery.message.message_id), prefetch=2)
            await site.bus.declare(of_vm("vm1"))
            site.beat(cpu_percent=95.0, slots=4)
            while (await site.status()).cloud != "open":
                pass
            for number in range(3):
                site.job(message_id=f"j{number}")
            for _ in range(3):
                assert (await site.told("routed")).route == "cloud"
            await eventually(lambda: len(taken) == 2)  # the third lies in the queue
            between.cut()
            got = [await site.placed() for _ in range(3)]
            assert sorted(str(job.properties.message_id) for job in got) == ["j0", "j1", "j2"]
            assert {job.headers["attempt"] for job in got} == {1}
            while (await site.status()).cloud != "no bridge is alive":
                pass
        await site.settled()


async def test_a_job_that_a_bridge_hands_home_goes_to_a_vm(site: Site, amqp_url: str) -> None:
    await site.bus.declare(of_vm("vm1"))
    site.beat(cpu_percent=95.0)
    async with Bus(amqp_url, name="bridge", topology=shared()) as bridge:

        def hand_home(delivery: Delivery) -> None:
            job = Job.from_message(delivery.message, 1)
            home = job.failed(at_ms=1, vm="cloud", reason="503").model_copy(update={"attempt": job.attempt - 1})
            bridge.publish(JOBS_LANES, home.to_message("sketch", 1)).add_done_callback(lambda _: bridge.ack(delivery))

        await bridge.consume(OVERFLOW, hand_home, prefetch=2)
        while (await site.status()).cloud != "open":
            pass
        site.job()
        assert (await site.told("routed")).route == "cloud"
        assert (await site.told("routed")).vm == "vm1"
        got = await site.placed()
        assert (got.headers["attempt"], json.loads(got.headers["history"])[0]["vm"]) == (1, "cloud")
        await site.settled()
