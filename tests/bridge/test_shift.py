"""What a shift settles, and what it tells the gate of the cloud."""

import time
from pathlib import Path

import pytest

from bridge.budget import Budget
from bridge.endings import Endings, Tally, event
from bridge.gate import Gate
from bridge.pictures import Pictures
from bridge.shift import Memory, Shift
from bridge.tickets import Ticket
from bus.blobs import Blobs
from bus.clock import now_ms
from bus.messages import Message
from bus.prices import Prices
from bus.rabbit import Bus, Delivery
from bus.topology import DEFAULT_EXCHANGE, Queue, Topology
from tests.bridge.far_side import Client, FarSide
from tests.bridge.test_tickets import ticket
from tests.bridge.yard import SETTINGS
from tests.bus.rabbit.foreign import Foreign, eventually

TOPOLOGY = Topology(queues=(Queue("q", {"x-queue-type": "quorum"}),))


def shift(bus: Bus, folder: Path) -> tuple[Shift, list[str]]:
    """A shift, and what it tells of changes."""
    client = Client(FarSide())
    changes: list[str] = []
    pictures = Pictures(Blobs(f"file://{folder}", most_bytes=100), largest_inline=100, link_s=60)
    gate = Gate.of(SETTINGS, client, "b1")
    endings = Endings(bus, Tally())
    there = Shift(bus, client, gate, endings, pictures, Memory(), lambda: changes.append("?"), longest_run_s=10.0)
    return there, changes


def sent_now() -> Ticket:
    return ticket().model_copy(update={"sent_ms": now_ms()})


def test_enough_failures_break_the_cloud_and_a_success_mends_it(tmp_path: Path) -> None:
    there, changes = shift(Bus("amqp://localhost", name="test", topology=TOPOLOGY), tmp_path)
    breaker = there.gate.breaker
    there.failed("down", sent_now())
    there.succeeded(sent_now())
    for _ in range(5):
        there.failed("down", sent_now())
    assert (breaker.state(time.monotonic()), breaker.reason, len(changes)) == ("open", "down", 7)
    half_open = time.monotonic() + 6
    breaker.sent(half_open)
    there.undecided(sent_now())
    assert breaker.state(half_open) == "half-open"


def test_a_job_that_did_not_go_costs_nothing(tmp_path: Path) -> None:
    there, _ = shift(Bus("amqp://localhost", name="test", topology=TOPOLOGY), tmp_path)
    budget, going = there.gate.budget, sent_now()
    budget.sent(going.cost, time.monotonic(), going.sent_ms / 1000)
    assert budget.spent_today(time.time()) == pytest.approx(going.cost)
    there.unsent(going)
    assert budget.spent_today(time.time()) == 0


@pytest.mark.parametrize(
    ("there_s", "runs", "booked"), [(25, 1, 10), (25, 2, 20), (25, 3, 25), (60, 9, 60), (0, 9, 0.001)]
)
def test_what_ran_in_vain_costs_the_time_that_it_may_have_run(
    tmp_path: Path, there_s: int, runs: int, booked: float
) -> None:
    there, _ = shift(Bus("amqp://localhost", name="test", topology=TOPOLOGY), tmp_path)
    budget = there.gate.budget = Budget(Prices(1.0, 0.0, 0.0))
    sent_ms = now_ms() - 90_000
    gone = ticket().model_copy(update={"sent_ms": sent_ms, "due_ms": sent_ms + there_s * 1000})
    budget.sent(gone.cost, time.monotonic(), sent_ms / 1000)
    there.ran_in_vain(gone, runs)
    assert budget.spent_today(time.time()) == pytest.approx(booked)


@pytest.mark.broker
async def test_all_that_was_kept_for_a_job_is_settled_when_it_may_be(amqp_url: str, tmp_path: Path) -> None:
    claim = "pictures/20300131/" + 32 * "a"
    (tmp_path / claim).parent.mkdir(parents=True)
    (tmp_path / claim).write_bytes(b"")
    came: list[Delivery] = []
    with Foreign(amqp_url) as foreign:
        async with Bus(amqp_url, name="test", topology=TOPOLOGY) as bus:
            there, changes = shift(bus, tmp_path)
            await bus.consume("q", came.append, prefetch=10)
            await bus.publish(DEFAULT_EXCHANGE, Message(routing_key="q"))
            await eventually(lambda: came)
            ended = ticket().model_copy(update={"claim": claim})
            there.tickets.hold(ended, came[0])
            there.withhold()
            there.end(ended, event(ended.job, "done"))
            assert bus.is_live(came[0])
            there.release()
            assert not bus.is_live(came[0])
            assert (changes, ended.number in there.memory.ended) == (["?"], True)
            await eventually(lambda: not (tmp_path / claim).exists())
            there.release()
        assert foreign.depth("q") == 0
