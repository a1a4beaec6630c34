"""A worker with a blob store: large pictures come by claim, large results go by claim, and no process waits for it."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from bus.blobs import Blobs
from bus.control import Cancel
from bus.messages import Job
from bus.topology import DEAD
from consumers.answers import Kept
from consumers.claims import Claims
from tests.bus.rabbit.foreign import eventually
from tests.consumers.desk import BACK, PHOTOGRAPH, Desk, desk, history, problem
from tests.consumers.operations.pictures import opened, photograph

pytestmark = pytest.mark.broker

SOMEONE = "pictures/20300131/" + "0" * 32
PNG = '{"style": "coloured", "format": "png"}'
INLINE = 100_000


class Slow(Claims):
    """A store that gives and takes nothing until it is told to."""

    def __init__(self, blobs: Blobs) -> None:
        super().__init__(blobs, INLINE)
        self.gives = asyncio.Event()
        self.asked = asyncio.Event()
        self.takes = asyncio.Event()

    async def fetch(self, job: Job, link: str | None = None) -> Job:
        await self.gives.wait()
        return await super().fetch(job, link)

    async def stow(self, kept: Kept, most: int | None = None, site: str = "any") -> Kept:
        if len(kept.body) > INLINE:
            self.asked.set()
            await self.takes.wait()
        return await super().stow(kept, most, site)


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(f"file://{tmp_path}/blobs")


@pytest.fixture
async def vm(amqp_url: str, blobs: Blobs) -> AsyncIterator[Desk]:
    async with desk(amqp_url, claims=Claims(blobs, INLINE)) as vm:
        yield vm


async def test_a_claimed_photograph_comes_back_as_a_sketch(vm: Desk, blobs: Blobs) -> None:
    vm.send(b"", headers={"claim": await blobs.put("pictures", PHOTOGRAPH)})
    got = await vm.answer()
    assert opened(got.body).size == opened(PHOTOGRAPH).size
    assert "claim" not in got.headers
    await vm.settled()


async def test_a_large_result_lies_in_the_store_and_a_repeat_is_told_the_same_claim(vm: Desk, blobs: Blobs) -> None:
    claim = await blobs.put("pictures", PHOTOGRAPH)
    told = set()
    for _ in range(2):
        vm.send(b"", headers={"claim": claim, "params": PNG})
        got = await vm.answer()
        assert (got.body, got.properties.content_type, got.headers["vm"]) == (b"", "image/png", "vm1")
        told.add(got.headers["claim"])
    (result,) = told
    assert opened(await blobs.get(result)).size == opened(PHOTOGRAPH).size
    await vm.told("done", 2)
    assert vm.count("running") == 1
    await vm.settled()


async def test_a_claim_that_leads_nowhere_is_answered_and_may_lead_somewhere_later(
    vm: Desk, blobs: Blobs, tmp_path: Path
) -> None:
    vm.send(b"", headers={"claim": SOMEONE})
    told = problem(await vm.answer())
    assert (told["slug"], told["field"]) == ("no-such-claim", "claim")
    file = tmp_path / "blobs" / SOMEONE
    file.parent.mkdir(parents=True)
    file.write_bytes(PHOTOGRAPH)
    vm.send(b"", headers={"claim": SOMEONE})
    assert (await vm.answer()).properties.content_type == "image/jpeg"
    await vm.settled()


async def test_a_claim_without_a_store_names_the_setting(amqp_url: str) -> None:
    async with desk(amqp_url) as vm:
        vm.send(b"", headers={"claim": SOMEONE})
        told = problem(await vm.answer())
        assert (told["slug"], "OVERSPILL_BLOBS" in told["remedy"]) == ("bad-field", True)


async def test_a_store_that_fails_costs_an_attempt_and_then_is_a_problem(vm: Desk, tmp_path: Path) -> None:
    (tmp_path / "blobs").write_text("a file where a folder should be")
    vm.send(b"", headers={"claim": SOMEONE})
    back = await vm.handed_back()
    assert (back.body, back.headers["claim"], back.headers["attempt"]) == (b"", SOMEONE, 1)
    assert [told["problem"] for told in history(back)] == ["operation-failed"]
    vm.send(b"", headers={"claim": SOMEONE, "attempt": 3})
    assert problem(await vm.answer())["slug"] == "operation-failed"
    assert (await vm.dead()).headers["claim"] == SOMEONE
    vm.send(headers={"params": PNG})  # computed, and not to be stored
    back = await vm.handed_back()
    assert (back.body, "claim" in back.headers) == (PHOTOGRAPH, False)
    await vm.settled()


async def test_no_process_waits_for_the_store(amqp_url: str, blobs: Blobs) -> None:
    claims = Slow(blobs)
    claim = await blobs.put("pictures", PHOTOGRAPH)
    async with desk(amqp_url, claims=claims) as vm:
        vm.send(b"", headers={"claim": claim}, message_id="claimed")
        await eventually(lambda: len(vm.worker.report().held) == 1)
        vm.send(photograph("chelsea"), message_id="other")
        assert (await vm.answer()).headers["job"] == "other"
        assert (len(vm.worker.report().held), vm.worker.report().running) == (1, 0)
        claims.gives.set()
        assert (await vm.answer()).headers["job"] == "claimed"
        await vm.settled()


async def test_a_job_is_cancelled_while_its_picture_is_on_the_way(amqp_url: str, blobs: Blobs) -> None:
    claims = Slow(blobs)
    async with desk(amqp_url, claims=claims) as vm:
        vm.send(b"", headers={"claim": await blobs.put("pictures", PHOTOGRAPH)})
        await eventually(lambda: len(vm.worker.report().held) == 1)
        vm.ask(Cancel(user="anna", job="j1"))
        assert problem(await vm.answer())["slug"] == "cancelled"
        claims.gives.set()
        await vm.settled()
        assert vm.count("running") == 0


async def test_a_job_is_cancelled_while_its_result_is_on_the_way_and_others_run(amqp_url: str, blobs: Blobs) -> None:
    claims = Slow(blobs)
    async with desk(amqp_url, claims=claims) as vm:
        vm.send(headers={"params": PNG})
        await claims.asked.wait()
        vm.send(photograph("chelsea"), message_id="other")
        assert (await vm.answer()).headers["job"] == "other"
        vm.ask(Cancel(user="anna", job="j1"))
        assert problem(await vm.answer())["slug"] == "cancelled"
        claims.takes.set()
        await eventually(lambda: not vm.worker._runs)
        await vm.settled()
        assert vm.foreign.taken(vm.replies) is None


async def test_a_worker_that_drains_gives_back_what_it_still_fetches(amqp_url: str, blobs: Blobs) -> None:
    claim = await blobs.put("pictures", PHOTOGRAPH)
    async with desk(amqp_url, claims=Slow(blobs)) as vm:
        vm.send(b"", headers={"claim": claim})
        await eventually(lambda: len(vm.worker.report().held) == 1)
        await vm.worker.drain(60)
        back = await vm.handed_back()
        assert (back.body, back.headers["claim"], back.headers["attempt"]) == (b"", claim, 0)
        assert vm.foreign.depth(DEAD) == 0
        assert vm.foreign.depth(BACK) == 0
        await vm.settled()
