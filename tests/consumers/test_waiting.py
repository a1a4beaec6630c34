"""The line on a VM: pictures that are here first, and no job lost on the way to it."""

import asyncio
from pathlib import Path

import pytest

from bus.blobs import Blobs
from bus.messages import Job, Message
from bus.problems import Problem
from bus.rabbit import Delivery
from consumers.answers import Failed
from consumers.claims import Claims
from consumers.settlement import Held
from consumers.waiting import Waiting
from tests.bus.rabbit.foreign import eventually

SOMEONE = "pictures/20300131/" + "0" * 32


def held(name: str, claim: str | None = None) -> Held:
    job = Job(id=name, operation="sketch", body=b"" if claim else name.encode(), claim=claim)
    return Held(Delivery(Message(), "", redelivered=False, returns=0, tag=1, session=1), job, name)


class Line:
    """A line on a folder, and what it told."""

    def __init__(self, folder: Path) -> None:
        self.blobs = Blobs(f"file://{folder}")
        self.ready = 0
        self.refused: list[tuple[Held, Problem]] = []
        self.failed: list[tuple[Held, Failed]] = []
        self.waiting = Waiting(
            Claims(self.blobs, 100),
            self._on_ready,
            lambda held, problem: self.refused.append((held, problem)),
            lambda held, failed: self.failed.append((held, failed)),
        )

    def _on_ready(self) -> None:
        self.ready += 1


@pytest.fixture
def line(tmp_path: Path) -> Line:
    return Line(tmp_path / "blobs")


async def test_jobs_with_their_pictures_stand_in_line_at_once(line: Line) -> None:
    one, two = held("one"), held("two")
    line.waiting.add(one)
    line.waiting.add(two)
    assert (list(line.waiting), len(line.waiting), line.ready) == ([one, two], 2, 2)
    assert one.to_compute is one.job


async def test_a_claimed_picture_is_fetched_while_others_stand_in_line(line: Line) -> None:
    claimed, other = held("claimed", await line.blobs.put("pictures", b"picture")), held("other")
    line.waiting.add(claimed)
    line.waiting.add(other)
    assert list(line.waiting) == [other]
    await eventually(lambda: len(line.waiting) == 2)
    assert list(line.waiting) == [other, claimed]
    assert line.ready == 2
    assert (claimed.to_compute.body, claimed.job.body) == (b"picture", b"")


async def test_a_claim_that_leads_nowhere_is_told(line: Line) -> None:
    claimed = held("claimed", SOMEONE)
    line.waiting.add(claimed)
    await eventually(lambda: line.refused)
    ((told, problem),) = line.refused
    assert (told, problem.slug) == (claimed, "no-such-claim")
    assert line.waiting.clear() == []


async def test_a_store_that_fails_is_told(line: Line, tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    claimed = held("claimed", SOMEONE)
    line.waiting.add(claimed)
    await eventually(lambda: line.failed)
    ((told, failed),) = line.failed
    assert (told, failed.problem.slug, failed.ran_ms) == (claimed, "operation-failed", None)
    assert line.waiting.clear() == []


async def test_who_leaves_is_gone_wherever_it_stood(line: Line) -> None:
    standing, coming = held("standing"), held("coming", await line.blobs.put("pictures", b"picture"))
    for each in (standing, coming):
        line.waiting.add(each)
        line.waiting.remove(each)
        line.waiting.remove(each)  # once more is no fault
    await asyncio.sleep(0.05)
    assert (list(line.waiting), line.waiting.clear(), line.ready) == ([], [], 1)


async def test_all_are_given_back_those_in_line_first(line: Line) -> None:
    coming, standing = held("coming", await line.blobs.put("pictures", b"picture")), held("standing")
    line.waiting.add(coming)
    line.waiting.add(standing)
    assert line.waiting.clear() == [standing, coming]
    await asyncio.sleep(0.05)
    assert (list(line.waiting), line.refused, line.failed) == ([], [], [])
