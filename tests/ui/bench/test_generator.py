"""The loop, on a clock of its own."""

import asyncio
from collections.abc import Iterator

import pytest

from tests.ui.bench.virtual import run, stall
from ui.bench.figures import Figures, Seen, figures_of
from ui.bench.generator import Send, generate
from ui.bench.schedule import Due
from ui.bench.tally import Reply, Tally


def dues(count: int = 200, a_second: float = 100.0) -> Iterator[Due]:
    return (Due(number, number / a_second, "sketch", "anna", 0) for number in range(count))


async def quick(_due: Due) -> Reply:
    await asyncio.sleep(0.01)
    return Reply("vm")


async def bench(send: Send, *, count: int = 200, for_s: float | None = 2.0, stop_s: float | None = None) -> Tally:
    tally, stop = Tally(), asyncio.Event()
    if stop_s is not None:
        asyncio.get_running_loop().call_later(stop_s, stop.set)
    whole = await generate(dues(count), send, tally, stop, for_s)
    assert whole == (stop_s is None)
    return tally


def test_what_waiting_for_the_last_answers_takes_of_a_core_is_no_part_of_sending() -> None:
    async def slow(_due: Due) -> Reply:
        await asyncio.sleep(98)
        return Reply("vm")

    async def counted() -> Tally:
        loop, tally = asyncio.get_running_loop(), Tally()
        # All of a core while it sends for two seconds, and nothing in the hundred after that.
        await generate(dues(), slow, tally, asyncio.Event(), 2.0, lambda: 7.0 + min(loop.time(), 2.0))
        return tally

    assert run(counted()).cpu == pytest.approx(1.0)


def told(tally: Tally) -> Figures:
    return figures_of(tally, Seen())


def test_jobs_are_sent_when_they_are_due() -> None:
    figures = told(run(bench(quick)))
    assert (figures.offered, figures.good) == (200, 200)
    assert figures.seconds == pytest.approx(2.0)
    assert figures.offered_rate == pytest.approx(100)
    assert figures.rows[0].latency["max"] == pytest.approx(0.01, abs=0.001)
    assert figures.generator.kept_up


def test_nobody_waits_for_a_slow_server() -> None:
    async def slow(_due: Due) -> Reply:
        await asyncio.sleep(30)
        return Reply("vm")

    tally = run(bench(slow))
    assert tally.lag.longest < 0.001
    assert told(tally).rows[0].latency["p50"] == pytest.approx(30, rel=0.001)
    assert told(tally).achieved_rate == 0.0


def test_a_second_in_which_nothing_moves_counts_for_all_who_were_due_in_it() -> None:
    """Here the program itself stands still, so jobs are sent late; they are due when they were due all the same."""

    async def stalls_once(due: Due) -> Reply:
        if due.number == 50:
            stall(1.0)
        return await quick(due)

    figures = told(run(bench(stalls_once)))
    latency, service = figures.rows[0].latency, figures.rows[0].service

    assert latency["p95"] == pytest.approx(0.91, abs=0.02)
    assert latency["p90"] == pytest.approx(0.81, abs=0.02)
    assert service["p95"] == pytest.approx(0.01, abs=0.001)
    assert service["max"] == pytest.approx(1.01, abs=0.01)  # the one job that a closed loop would have told of
    assert not figures.generator.kept_up


def test_sending_lasts_to_the_last_job_when_no_time_is_given() -> None:
    assert run(bench(quick, for_s=None)).until_s == pytest.approx(1.99)


def test_stopped_on_the_way_it_tells_what_there_is() -> None:
    async def never(due: Due) -> Reply:
        await asyncio.sleep(0.01 if due.number < 50 else 1e6)
        return Reply("vm")

    figures = told(run(bench(never, stop_s=1.0)))
    assert figures.good == 50
    assert figures.under_way == pytest.approx(50, abs=1)
    assert figures.seconds == pytest.approx(1.0)


def test_stopped_while_it_waits_for_the_rest_it_has_sent_for_as_long_as_it_did() -> None:
    async def never(_due: Due) -> Reply:
        await asyncio.sleep(1e6)
        return Reply("vm")

    tally = run(bench(never, stop_s=10.0))
    assert tally.until_s == pytest.approx(2.0)
    assert tally.under_way == 200
