"""`overspill dead` on a real broker."""

import asyncio
import json
import os
import pty
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from typer.testing import CliRunner

from bus.messages import Job, Message
from bus.rabbit import Bus
from bus.replies import bury
from bus.topology import DEAD, LANES, Queue, Topology, lane, shared
from producers.dead_letters import DeadLetters
from tests.ui.commands.conftest import PROJECT, Overspill
from ui.cli import app

pytestmark = pytest.mark.broker

LANE_NAMES = [lane(number) for number in range(LANES)]
PNG = b"\x89PNG\r\n\x1a\n picture of "


async def buried(
    url: str,
    *jobs: str,
    user: str = "anna",
    operation: str = "sketch",
    replays: int = 0,
    reply_to: str = "replies",
) -> None:
    headers = {"user": user, "attempt": 3, "deadline_ms": 5, "replays": replays}
    async with Bus(url, name="undertaker", topology=shared()) as bus:
        await bus.declare(Topology(queues=(Queue("replies"),)))  # anna waits there
        told = [
            (Message(PNG + job.encode(), operation, headers, message_id=job, reply_to=reply_to), f"{job} failed")
            for job in jobs
        ]
        if len(told) < 10:
            for letter in told:  # in this order
                await bury(bus, *letter)
        await asyncio.gather(*(bury(bus, *letter) for letter in told if len(told) >= 10))


async def dead_at(url: str, **moments: int) -> None:
    """Jobs that died at these moments, milliseconds since 1970."""
    async with Bus(url, name="undertaker", topology=shared()) as bus:
        for job, dead_ms in moments.items():
            await bus.publish("", Message(PNG, DEAD, {"dead_ms": dead_ms}, message_id=job))


async def depth(url: str, *queues: str) -> int:
    async with Bus(url, name="counter", topology=shared()) as bus:
        return sum(count or 0 for count in (await bus.depths(queues)).values())


async def until_some_are_sent(url: str, running: "subprocess.Popen[str]") -> None:
    async with Bus(url, name="counter", topology=shared()) as bus:
        sent = False
        while not sent and running.poll() is None:
            sent = any((await bus.depths(LANE_NAMES)).values())


async def in_the_lanes(url: str, count: int) -> dict[str, Job]:
    """What comes out of the lanes."""
    came: asyncio.Queue[Message] = asyncio.Queue()
    async with Bus(url, name="router", topology=shared()) as bus:
        for number in range(LANES):
            await bus.consume(lane(number), lambda delivery: came.put_nowait(delivery.message), prefetch=8)
        jobs = [Job.from_message(await asyncio.wait_for(came.get(), 20), 0) for _ in range(count)]
    return {job.id: job for job in jobs}


async def letters(url: str) -> dict[str, str]:
    """The letters' ids by their jobs'."""
    async with Bus(url, name="reader", topology=shared()) as bus:
        return {letter.job: letter.id for letter in (await DeadLetters(bus).list()).letters}


def listed(here: Overspill, url: str, *filters: str) -> dict[str, str]:
    """The letters' ids by their jobs'."""
    ran = here("dead", "list", "--json", "--limit", "0", *filters, url=url)
    assert (ran.returncode, ran.stderr) == (0, "")
    return {told["job"]: told["id"] for told in map(json.loads, ran.stdout.splitlines())}


def test_they_are_listed_and_filtered(here: Overspill, amqp_url: str) -> None:
    assert here("dead", "list", url=amqp_url).stdout == "No dead job.\n"
    asyncio.run(buried(amqp_url, "a", "b"))
    asyncio.run(buried(amqp_url, "c", user="ben", operation="caption"))
    shown = here("dead", "list", "--limit", "2", url=amqp_url).stdout
    assert "a failed" in shown
    assert shown.endswith("There are more: --limit 4 shows 4, --limit 0 all.\n")
    assert [*listed(here, amqp_url, "--user", "ben")] == ["c"]
    assert [*listed(here, amqp_url, "--operation", "sketch", "--reason", "B FAIL", "--younger-than", "1h")] == ["b"]
    assert listed(here, amqp_url, "--older-than", "1h") == {}


def test_one_is_shown_and_its_picture_saved_but_never_over_a_file(
    here: Overspill, amqp_url: str, tmp_path: Path
) -> None:
    asyncio.run(buried(amqp_url, "a", "b"))
    letter_id = asyncio.run(letters(amqp_url))["b"]
    ran = here("dead", "show", letter_id[:8], "--save", "b.png", url=amqp_url)
    assert ran.returncode == 0
    assert "b failed" in ran.stdout
    assert (tmp_path / "b.png").read_bytes() == PNG + b"b"
    again = here("dead", "show", letter_id, "--save", "b.png", url=amqp_url)
    assert (again.returncode, "name another file" in again.stderr) == (1, True)
    assert json.loads(here("dead", "show", letter_id, "--json", url=amqp_url).stdout)["job"] == "b"
    unknown = here("dead", "show", "0000", url=amqp_url)
    assert (unknown.returncode, "There is no dead job 0000" in unknown.stderr) == (1, True)


def test_a_job_s_own_id_names_its_letter_and_of_several_all_are_listed(here: Overspill, amqp_url: str) -> None:
    asyncio.run(buried(amqp_url, "a", "b"))
    asyncio.run(buried(amqp_url, "a", user="ben"))
    shown = here("dead", "show", "b", "--json", url=amqp_url)
    assert json.loads(shown.stdout)["job"] == "b"
    both = here("dead", "purge", "a", "--yes", url=amqp_url)
    assert both.returncode == 1
    assert "2 dead jobs may be meant by a" in both.stderr
    assert "(job a of anna): a failed" in both.stderr
    assert "(job a of ben): a failed" in both.stderr
    assert here("dead", "purge", "b", "--yes", url=amqp_url).returncode == 0
    assert "b" not in listed(here, amqp_url)
    short = here("dead", "show", "x", url=amqp_url)
    assert (short.returncode, "too short" in short.stderr) == (1, True)


def test_those_meant_are_sent_again_with_who_did_it_and_the_others_stay(here: Overspill, amqp_url: str) -> None:
    asyncio.run(buried(amqp_url, "a", "b"))
    asyncio.run(buried(amqp_url, "c", user="ben"))
    asyncio.run(buried(amqp_url, "tired", replays=3))
    ran = here("dead", "replay", "--all", "--user", "anna", "--yes", url=amqp_url)
    assert ran.returncode == 1
    assert "To send again: 2 dead jobs of anna (sketch 2)" in ran.stdout
    assert "2 of 2 dead jobs sent again." in ran.stdout
    assert "job tired of anna): It was sent again 3 times already" in ran.stderr
    assert "1 of 3 dead jobs not sent again. To send all the same, once you know why: --force." in ran.stderr
    assert sorted(asyncio.run(letters(amqp_url))) == ["c", "tired"]
    forced = here("dead", "replay", asyncio.run(letters(amqp_url))["tired"], "--force", "-y", url=amqp_url)
    assert (forced.returncode, forced.stderr) == (0, "")
    jobs = asyncio.run(in_the_lanes(amqp_url, 3))
    assert {name: job.replays for name, job in jobs.items()} == {"a": 1, "b": 1, "tired": 4}
    assert re.search("sent again out of the dead queue by .+@.+", jobs["a"].history[-1].reason)


def test_what_nobody_waits_for_any_more_stays_unless_an_operator_insists(here: Overspill, amqp_url: str) -> None:
    asyncio.run(buried(amqp_url, "a"))
    asyncio.run(buried(amqp_url, "b", "c", reply_to="amq.gen-gone"))
    ran = here("dead", "replay", "--all", "--yes", url=amqp_url)
    assert ran.returncode == 1
    assert ran.stderr.count("the reply queue amq.gen-gone is gone") == 2
    assert "2 of 3 dead jobs not sent again. To send all the same, once you know why: --force." in ran.stderr
    assert "1 of 1 dead job sent again." in ran.stdout
    alone = here("dead", "replay", "b", "--yes", url=amqp_url)
    assert (alone.returncode, alone.stdout, "--force" in alone.stderr) == (1, "", True)
    assert [*listed(here, amqp_url)] == ["b", "c"]
    forced = here("dead", "replay", "--all", "--force", "--yes", url=amqp_url)
    assert (forced.returncode, forced.stderr) == (0, "")
    assert "  2 with a reply queue that is gone: answer and picture will be lost" in forced.stdout
    assert asyncio.run(depth(amqp_url, DEAD)) == 0


def test_those_that_died_first_are_listed_first_each_time(here: Overspill, amqp_url: str) -> None:
    asyncio.run(dead_at(amqp_url, d=4, b=2, c=3, a=1))
    for _ in range(3):
        assert [*listed(here, amqp_url)] == [*"abcd"]
    two = here("dead", "list", "--json", "--limit", "2", url=amqp_url).stdout
    assert [json.loads(line)["job"] for line in two.splitlines()] == ["a", "b"]


def test_nothing_is_done_where_nobody_can_be_asked(here: Overspill, amqp_url: str) -> None:
    asyncio.run(buried(amqp_url, "a"))
    ran = here("dead", "purge", "--all", url=amqp_url)
    assert (ran.returncode, "add --yes" in ran.stderr) == (1, True)
    assert asyncio.run(depth(amqp_url, DEAD)) == 1
    assert here("dead", "purge", "--all", "--yes", url=amqp_url).returncode == 0
    assert asyncio.run(depth(amqp_url, DEAD)) == 0


@pytest.mark.parametrize("arguments", [(), ("--all", "abcdef"), ("abcdef", "--user", "anna"), ("--older-than", "x")])
def test_what_can_t_be_meant_is_refused_before_anything_is_asked(arguments: tuple[str, ...]) -> None:
    ran = CliRunner().invoke(app, ["dead", "replay", *arguments], env={"AMQP_URL": "amqp://127.0.0.1:1"})
    assert (ran.exit_code, ran.stdout) == (2, "")


def test_hundreds_are_worked_through_and_a_signal_in_the_middle_loses_none(amqp_url: str, tmp_path: Path) -> None:
    jobs = [f"job-{number}" for number in range(600)]
    asyncio.run(buried(amqp_url, *jobs))
    command = [sys.executable, "-m", "ui.cli", "dead", "replay", "--all", "--yes"]
    environment = os.environ | {"AMQP_URL": amqp_url, "OVERSPILL_STATE_DIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    running = subprocess.Popen(command, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    asyncio.run(until_some_are_sent(amqp_url, running))
    running.send_signal(signal.SIGINT)
    out, err = running.communicate(timeout=60)
    sent, left = asyncio.run(depth(amqp_url, *LANE_NAMES)), asyncio.run(depth(amqp_url, DEAD))
    assert sent + left == 600
    assert 0 < sent < 600, (out, err)
    assert (running.returncode, f"Interrupted: {sent} of 600 dead jobs sent again." in out) == (130, True)
    whole = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)
    assert (whole.returncode, f"{left} of {left} dead jobs sent again." in whole.stdout) == (0, True)
    assert asyncio.run(depth(amqp_url, *LANE_NAMES)) == 600


def test_a_person_is_asked_and_may_say_no(amqp_url: str, tmp_path: Path) -> None:
    ours, theirs = pty.openpty()
    environment = os.environ | {"AMQP_URL": amqp_url, "OVERSPILL_STATE_DIR": str(tmp_path), "PYTHONPATH": str(PROJECT)}
    asyncio.run(buried(amqp_url, "a"))
    command = [sys.executable, "-m", "ui.cli", "dead", "purge", "--all"]
    running = subprocess.Popen(command, env=environment, stdin=theirs, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    os.write(ours, b"n\n")
    out, _ = running.communicate(timeout=60)
    for descriptor in (ours, theirs):
        os.close(descriptor)
    assert running.returncode == 1
    assert b"Go on? [y/N]" in out
    assert asyncio.run(depth(amqp_url, DEAD)) == 1
