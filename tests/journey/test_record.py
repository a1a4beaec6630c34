"""A recording of real work: what a router and two VMs told is what their callers saw."""

import asyncio
from collections import Counter
from pathlib import Path

import pytest

from bus.clock import now_ms
from bus.errors import JobFailed
from producers.client import AsyncClient
from producers.flight.files import read
from producers.flight.recording import Recording
from tests.journey.pictures import photograph
from ui.record.span import Span
from ui.record.taking import take
from ui.record.tape import Tape

pytestmark = [pytest.mark.journey, pytest.mark.broker]

PICTURE = photograph(400, 300)


async def recorded(url: str, path: Path) -> Recording:
    span = Span(now_ms() - 600_000, now_ms(), from_now=False)
    with Tape(lambda: path.open("xb"), span, compressed=True) as tape:
        await take(url, span, tape, asyncio.Event(), lambda: None)
    return read(path)


async def work(client: AsyncClient) -> dict[str, str | None]:
    """The ids of some jobs, and the VMs that answered them; the last one fails."""
    handles = [await client.submit(PICTURE, "sketch", priority=5) for _ in range(5)]
    answers = {handle.id: (await handle.result(60)).vm for handle in handles}
    broken = await client.submit(b"no picture at all", "sketch")
    with pytest.raises(JobFailed):
        await broken.result(60)
    return {**answers, broken.id: None}


async def test_what_was_recorded_is_what_happened(stack: str, tmp_path: Path) -> None:
    began_ms = now_ms()
    async with AsyncClient(stack, user="ada") as client:
        answered = await work(client)
        # Sent once more, with the same picture, it is answered without being run again.
        again = next(iter(answered))
        repeat = await client.submit(PICTURE, "sketch", job_id=again)
        await repeat.result(60)
    made = await recorded(stack, tmp_path / "work.jsonl.gz")

    assert Counter(job.id for job in made.jobs) == Counter([*answered, again])
    assert Counter((job.user, job.operation, job.route, job.attempts) for job in made.jobs) == {
        ("ada", "sketch", "vm", 1): 7
    }
    *done, failed = sorted(made.jobs, key=lambda job: job.end == "failed")
    assert (failed.end, failed.problem) == ("failed", "not-an-image")
    assert [job.vm for job in done] == [answered[job.id] for job in done]
    for job in done:
        assert (job.end, job.bytes, job.megapixels) == ("done", len(PICTURE), 0.12)
        assert began_ms <= job.arrived_ms <= (job.routed_ms or 0) <= (job.ended_ms or 0) <= now_ms()
    assert [job.ran_ms is None for job in done] == [False] * 5 + [True]
    assert all(job.lain_ms is not None for job in made.jobs), "our client says when it sent them"
    assert all(job.began_ms + job.ran_ms <= job.ended_ms for job in done[:5])  # type: ignore[operator]  # (they ran)

    assert {vm.vm: vm.operations for vm in made.vms if vm.operations} == {"vm1": ("sketch",), "vm2": ("sketch",)}
    assert {load.vm for load in made.loads} == {"vm1", "vm2"}
    assert made.routers[-1].policy == done[0].policy
    assert made.header.complete
