"""`overspill record` on a real broker."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest
import typer

from bus.clock import now_ms
from bus.errors import OverspillError
from bus.events import AnyEvent, Heartbeat, event_message, heartbeat_key
from bus.rabbit import Bus
from bus.topology import EVENTS, shared
from producers.flight.files import read
from tests.producers.flight.steps import NOON, beat, bridge, in_cloud, on_vm, routed, router
from tests.ui.commands.conftest import PROJECT, Overspill
from ui.commands.record import record
from ui.record import taking
from ui.stack.processes import die_with_us

pytestmark = pytest.mark.broker


def shifted(event: AnyEvent, by_ms: int) -> AnyEvent:
    return event.model_copy(update={"at_ms": event.at_ms + by_ms})


def some_work(first: int, at_ms: int) -> list[AnyEvent]:
    """Three jobs, one of them in the cloud, and all that is said meanwhile; ten seconds and more."""
    names = [(f"job {number}", f"p{number}") for number in range(first, first + 3)]
    told: list[AnyEvent] = [router(at_ms), bridge(at_ms), beat(at_ms), beat(at_ms, "vm2")]
    for job, placement in names[:2]:
        told += [routed(at_ms, job, placement), on_vm("running", at_ms + 10, job, placement)]
        told += [on_vm("done", at_ms + 500, job, placement, ran_ms=480)]
    job, placement = names[2]
    told += [routed(at_ms, job, placement, route="cloud", vm=None), in_cloud("sent", at_ms + 40, job, placement)]
    told += [in_cloud("done", at_ms + 2_000, job, placement, vm="rev-7", ran_ms=900, cost=0.0002)]
    return [*told, router(at_ms + 13_000)]


@pytest.fixture
def url(amqp_url: str) -> str:
    return amqp_url


@pytest.fixture
def live(tmp_path: Path) -> Path:
    return tmp_path / "live.jsonl.gz"


async def tell(url: str, events: list[AnyEvent]) -> None:
    """As if it happened just now."""
    by_ms = now_ms() - NOON - 30_000
    async with Bus(url, name="teller", topology=shared()) as bus:
        for event in events:
            now = shifted(event, by_ms)
            key = heartbeat_key(now.vm) if isinstance(now, Heartbeat) else now.key
            await bus.publish(EVENTS, event_message(now, key))


TEN_MINUTES_MS = 600_000
Start = Callable[..., "subprocess.Popen[bytes]"]


@pytest.fixture
def start(amqp_url: str, tmp_path: Path) -> Iterator[Start]:
    """Begins `overspill record ARGUMENTS`, to be ended by the test, or after it."""
    running: list[subprocess.Popen[bytes]] = []
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("OVERSPILL_", "PYTEST_"))}
    environment |= {"AMQP_URL": amqp_url, "OVERSPILL_STATE_DIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}

    def begin(*arguments: str) -> "subprocess.Popen[bytes]":
        command = die_with_us([sys.executable, "-m", "ui.cli", "record", *arguments])
        pipe = subprocess.PIPE
        running.append(subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=pipe, stderr=pipe))
        return running[-1]

    yield begin
    for process in running:
        process.kill()
        process.communicate(timeout=10)


async def until(is_so: Callable[[], bool], meanwhile: Callable[[], Awaitable[object]]) -> None:
    async with asyncio.timeout(30):
        while not is_so():
            await meanwhile()
            await asyncio.sleep(0.1)


def test_live_and_from_the_history_is_the_same(start: Start, here: Overspill, url: str, live: Path) -> None:
    history = live.with_name("history.jsonl.gz")
    process = start(live.name, "--for", "10m")
    asyncio.run(until(live.exists, lambda: tell(url, [router(-20_000)])))
    asyncio.run(tell(url, [*some_work(0, 0), *some_work(3, 14_000), router(TEN_MINUTES_MS + 60_000)]))
    assert process.wait(30) == 0
    ran = here("record", history.name, url=url)
    assert (ran.returncode, ran.stdout) == (0, "")

    seen, kept = read(live), read(history)
    assert (len(seen.jobs), seen.header.complete, seen.header.missing) == (6, True, ())
    assert {job.end for job in seen.jobs} == {"done"}
    assert (seen.jobs, seen.loads, seen.vms, seen.clouds) == (kept.jobs, kept.loads, kept.vms, kept.clouds)
    assert "6 jobs, 2 VMs" in ran.stderr
    assert "33.3% of the placed jobs in the cloud, for $0.00040 (estimated)" in ran.stderr
    assert "Left out" not in ran.stderr


@pytest.mark.parametrize(("number", "is_whole"), [(signal.SIGKILL, False), (signal.SIGINT, True)])
async def test_a_recorder_that_is_stopped_leaves_what_it_had(
    start: Start, url: str, live: Path, number: signal.Signals, is_whole: bool
) -> None:
    await tell(url, some_work(0, 0))
    process = start(live.name, "--since", "1h", "--follow")
    await until(lambda: live.exists() and len(read(live).jobs) == 3, lambda: asyncio.sleep(0))
    process.send_signal(number)
    assert process.wait(10) == (0 if is_whole else -number)
    kept = read(live)
    assert [job.end for job in kept.jobs] == ["done"] * 3
    assert (kept.header.complete, len(kept.loads)) == (is_whole, 2 * is_whole)


def test_programs_read_it_from_a_pipe_without_names_and_it_ends_in_time(
    here: Overspill, url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(taking, "_SILENT_S", 0.1)
    asyncio.run(tell(url, some_work(0, 0)))
    ran = here("record", "-", "--since", "1m", "--for", "61s", "--anonymous", url=url)
    first, *lines, end = map(json.loads, ran.stdout.splitlines())
    assert (first["anonymous"], end["complete"], end["to_ms"] - first["from_ms"]) == (True, True, 13_000)
    assert len([line for line in lines if line[0] == "job"]) == 3
    assert '"ada"' not in ran.stdout


def test_a_file_is_written_over_only_when_that_is_meant(here: Overspill, url: str, live: Path) -> None:
    live.write_text("yesterday's")
    with pytest.raises(OverspillError, match=r"is there already\. Choose another name, or write over it with --force"):
        record(str(live))
    asyncio.run(tell(url, some_work(0, 0)))
    assert here("record", live.name, "--force", url=url).returncode == 0
    assert len(read(live).jobs) == 3


def test_where_nothing_is_told_nothing_is_written(here: Overspill, url: str, live: Path) -> None:
    ran = here("record", live.name, "--since", "1h", url=url)
    assert (ran.returncode, live.exists()) == (1, False)
    assert "Is a router running?" in ran.stderr


def test_what_can_t_be_is_told_at_once(tmp_path: Path) -> None:
    for place in (tmp_path / "nowhere" / "day.jsonl.gz", tmp_path):
        with pytest.raises(OverspillError, match=r"can't be written\. Choose another place"):
            record(str(place), force=True)
    with pytest.raises(typer.BadParameter, match="choose one"):
        record("day.jsonl.gz", length="1h", follow=True)
    with pytest.raises(typer.BadParameter, match="is no length of time"):
        record("day.jsonl.gz", since="soon")
