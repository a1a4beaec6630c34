"""`overspill tail` on a real broker, as a person and as a program runs it."""

import asyncio
import json
import os
import shlex
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from bus.events import AnyEvent, Heartbeat, JobEvent, event_message, heartbeat_key
from bus.messages import Message
from bus.rabbit import Bus
from bus.topology import EVENTS, HEARTBEATS, shared
from tests.ui.commands.conftest import PROJECT, Overspill
from ui.tail import choice, listening

pytestmark = pytest.mark.broker


def step(state: str, job: str = "j1", user: str = "anna", ago_ms: int = 0) -> JobEvent:
    given = {"state": state, "job": job, "operation": "sketch", "user": user}
    return JobEvent.model_validate(given | {"at_ms": time.time_ns() // 1_000_000 - ago_ms, "vm": "vm1", "route": "vm"})


def beat() -> Heartbeat:
    now_ms = time.time_ns() // 1_000_000
    told = {"vm": "vm1", "session": "s", "started_ms": 1, "seq": 1, "at_ms": now_ms, "cores": 2, "slots": 1}
    return Heartbeat.model_validate(told | {"cpu_percent": 1, "ram_percent": 1})


async def tell(url: str, *events: AnyEvent) -> None:
    async with Bus(url, name="teller", topology=shared()) as bus:
        for event in events:
            if isinstance(event, Heartbeat):
                await bus.publish(HEARTBEATS, event_message(event, heartbeat_key(event.vm)))
            else:
                await bus.publish(EVENTS, event_message(event, event.key))


async def say_hello(url: str) -> None:
    async with Bus(url, name="teller", topology=shared()) as bus:
        for _ in range(2):
            await bus.publish(EVENTS, Message(b"hello", "job.hello.world"))


@contextmanager
def tailing(url: str, folder: Path, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    """`overspill tail` in a pipe, listening; ended with Ctrl-C if it is still there."""
    environment = {key: value for key, value in os.environ.items() if not key.startswith("OVERSPILL_")}
    environment |= {"AMQP_URL": url, "PYTHONPATH": str(PROJECT), "OVERSPILL_STATE_DIR": str(folder)}
    with subprocess.Popen(
        [sys.executable, "-m", "ui.cli", "tail", *arguments],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stderr is not None
        assert process.stderr.readline().startswith("Listening for ")
        try:
            yield process
        finally:
            process.send_signal(signal.SIGINT)


def heard(process: "subprocess.Popen[str]") -> dict[str, object]:
    assert process.stdout is not None
    told: dict[str, object] = json.loads(process.stdout.readline())
    return told


async def test_what_happens_comes_line_by_line_in_a_pipe(amqp_url: str, tmp_path: Path) -> None:
    await tell(amqp_url, step("routed", "before"))
    with tailing(amqp_url, tmp_path) as process:
        await tell(amqp_url, beat(), step("routed"), step("done"))
        assert [heard(process)["state"], heard(process)["state"]] == ["routed", "done"]
    assert process.returncode == 0  # after Ctrl-C


async def test_the_past_comes_first_and_nothing_twice(amqp_url: str, tmp_path: Path) -> None:
    await tell(amqp_url, step("routed"), step("running"))
    with tailing(amqp_url, tmp_path, "--since", "1h", "job.#") as process:
        await tell(amqp_url, step("done"))
        assert [heard(process)["state"] for _ in range(3)] == ["routed", "running", "done"]


def test_what_the_broker_reads_out_from_before_is_left_out(
    here: Overspill, amqp_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(choice, "CHUNK_MS", 3_600_000)  # or a slow machine would find it told by a slow clock
    asyncio.run(tell(amqp_url, step("routed", "old", ago_ms=600_000), step("done")))
    ran = here("tail", "--since", "5m", "--no-follow", url=amqp_url)
    assert [json.loads(line)["state"] for line in ran.stdout.splitlines()] == ["done"]


async def test_a_broken_pipe_ends_it_at_once_and_quietly(amqp_url: str, tmp_path: Path) -> None:
    with tailing(amqp_url, tmp_path) as process:
        assert process.stdout is not None
        process.stdout.close()
        assert process.wait(20) == 0
        assert process.stderr is not None
        assert process.stderr.read() == ""


@pytest.mark.parametrize(("to", "says"), [(">/dev/full", "No space left"), (">&-", "Standard output is closed")])
async def test_where_nothing_can_be_written_it_says_so(amqp_url: str, tmp_path: Path, to: str, says: str) -> None:
    await tell(amqp_url, step("routed"))
    environment = {"AMQP_URL": amqp_url, "PYTHONPATH": str(PROJECT), "OVERSPILL_STATE_DIR": str(tmp_path)}
    words = f"{shlex.quote(sys.executable)} -m ui.cli tail --since 1m --no-follow {to}"
    run = partial(subprocess.run, ["/bin/sh", "-c", words], env=os.environ | environment, check=False)
    ran = await asyncio.to_thread(run, stderr=subprocess.PIPE, text=True)
    assert (ran.returncode, says in ran.stderr, "Traceback" in ran.stderr) == (1, True, False)


def test_a_person_sees_lines_that_end_with_now(here: Overspill, amqp_url: str) -> None:
    hostile = step("failed", "j\x1b[2Jx").model_copy(update={"reason": "\x07ding"})
    asyncio.run(tell(amqp_url, step("routed"), beat(), step("running", user="ben"), hostile))
    ran = here("tail", "--since", "10m", "--no-follow", "--pretty", "#", url=amqp_url)
    lines = ran.stdout.splitlines()
    assert (ran.returncode, ran.stderr, len(lines)) == (0, "", 4)
    assert lines[0].endswith("j1  sketch of anna  to vm1")
    assert "heartbeat" in lines[1]
    assert lines[2].endswith("sketch of ben   on vm1")
    assert "\x1b" not in ran.stdout
    assert "\x07" not in ran.stdout


def test_one_user_s_job_is_picked_out(here: Overspill, amqp_url: str) -> None:
    asyncio.run(tell(amqp_url, step("done"), step("done", "j2"), step("failed", user="ben"), beat()))
    ran = here("tail", "--since", "1h", "--no-follow", "--user", "anna", "--job", "j1", "--ago", url=amqp_url)
    assert [(told["job"], told["user"]) for told in map(json.loads, ran.stdout.splitlines())] == [("j1", "anna")]


def test_that_nothing_matched_is_said(here: Overspill, amqp_url: str) -> None:
    asyncio.run(tell(amqp_url, step("done")))
    ran = here("tail", "--since", "1h", "--no-follow", "--job", "wrong", url=amqp_url)
    assert (ran.returncode, ran.stdout) == (0, "")
    assert ran.stderr.startswith("No event matched.")


def test_what_is_no_event_is_named_and_passed_over(here: Overspill, amqp_url: str) -> None:
    asyncio.run(say_hello(amqp_url))
    asyncio.run(tell(amqp_url, step("done")))
    ran = here("tail", "--since", "1h", "--no-follow", url=amqp_url)
    assert len(ran.stdout.splitlines()) == 1
    (said,) = ran.stderr.splitlines()  # though it came twice
    assert said.startswith("What came under 'job.hello.world' is no event of overspill's, and passed over: body: ")


def test_a_pattern_that_can_not_match_gets_a_hint(here: Overspill, amqp_url: str) -> None:
    ran = here("tail", "--since", "1m", "--no-follow", "job.done", url=amqp_url)
    assert ran.returncode == 0
    assert "No event can match 'job.done'" in ran.stderr
    assert "Perhaps 'job.done.*' is meant." in ran.stderr


@pytest.mark.parametrize(
    ("arguments", "said"), [(["--no-follow"], "needs --since"), (["--since", "yesterday"], "as in 24h")]
)
def test_what_can_not_be_meant_is_refused_before_anything_is_asked(
    here: Overspill, arguments: list[str], said: str
) -> None:
    ran = here("tail", *arguments, url="amqp://127.0.0.1:1")
    assert ran.returncode == 2
    assert said in ran.stderr


def test_no_broker_is_told_with_the_remedy(here: Overspill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(listening, "CONNECT_WITHIN_S", 0.1)
    ran = here("tail", url="amqp://127.0.0.1:1")
    assert ran.returncode == 1
    assert "No broker answers at 127.0.0.1:1" in ran.stderr
