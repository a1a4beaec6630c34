import asyncio
import os
import signal
from collections.abc import AsyncIterator
from multiprocessing.context import SpawnProcess
from pathlib import Path

import pytest

from bus.errors import BadInput
from tests.bus.rabbit.foreign import eventually
from tests.ui.web.jobs.office import picture, record
from ui.web.jobs.files import Files
from ui.web.jobs.previews import AGAIN_S, Child, Previews
from ui.web.jobs.record import Record, Result


@pytest.fixture
async def previews(tmp_path: Path) -> AsyncIterator[Previews]:
    files = Files(tmp_path)
    files.open()
    made = Previews(files, 10_000_000)
    yield made
    await made.close()
    files.close()


def put(previews: Previews, body: bytes, job_id: str = "a" * 32) -> Record:
    job = record(job_id, result=Result(bytes=1, type="image/png"))
    for path in (previews._files.picture_path(job), previews._files.result_path(job)):
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(body)
    return job


def is_running(pid: int) -> bool:
    return Path(f"/proc/{pid}").exists()


async def said(previews: Previews, job: Record) -> str:
    try:
        await previews.path(job, "picture", "preview")
    except BadInput as error:
        return error.problem.slug
    return "made"


async def test_it_is_made_once_and_then_lies_there(previews: Previews) -> None:
    job = put(previews, picture(2000, "JPEG"))
    first = await asyncio.gather(*(previews.path(job, "picture", "thumbnail") for _ in range(5)))
    assert len(set(first)) == 1
    made_ns = first[0].stat().st_mtime_ns
    put(previews, b"never looked at again")
    assert (await previews.path(job, "picture", "thumbnail")).stat().st_mtime_ns == made_ns
    pid = previews._child.pid
    put(previews, picture(2000, "JPEG"))
    assert await previews.path(job, "result", "preview") != first[0]
    assert previews._child.pid == pid  # one child makes them all


async def test_where_there_is_nothing_to_show(previews: Previews) -> None:
    job = record()
    with pytest.raises(BadInput, match="not there any more"):
        await previews.path(job, "picture", "thumbnail")
    for result in (None, Result(bytes=9, type="application/json", caption="a cup")):
        with pytest.raises(BadInput, match="no picture for a result"):
            await previews.path(job.model_copy(update={"result": result}), "result", "thumbnail")


async def test_a_broken_picture_is_tried_once(previews: Previews) -> None:
    job = put(previews, b"\x89PNG\r\n\x1a\n" + bytes(100))
    for _ in range(2):
        with pytest.raises(BadInput, match="No preview can be made"):
            await previews.path(job, "picture", "preview")
        put(previews, picture())  # too late


async def test_without_a_process_it_is_tried_again_when_asked_again(
    previews: Previews, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_process: SpawnProcess) -> None:
        raise BlockingIOError("Resource temporarily unavailable")

    job = put(previews, picture(50))
    with monkeypatch.context() as scarce:
        scarce.setattr(SpawnProcess, "start", refuse)
        for _ in range(2):
            with pytest.raises(BadInput, match="just now"):
                await previews.path(job, "picture", "preview")
        assert previews._child.pid is None
        previews._child.stop()  # there is nothing to end
    assert (await previews.path(job, "picture", "preview")).exists()


@pytest.mark.parametrize(
    ("by", "slug", "later"), [(signal.SIGSEGV, "broken-image", "broken-image"), (signal.SIGKILL, "not-ready", "made")]
)
async def test_a_child_that_dies_is_replaced(previews: Previews, by: signal.Signals, slug: str, later: str) -> None:
    now_s = 0.0
    previews._clock = lambda: now_s
    await previews.path(put(previews, picture(50)), "picture", "preview")
    pid = previews._child.pid
    assert pid is not None
    os.kill(pid, by)
    victim = put(previews, picture(50), "b" * 32)
    assert await said(previews, victim) == slug
    await previews.path(put(previews, picture(50), "c" * 32), "picture", "preview")
    assert previews._child.pid != pid
    assert await said(previews, victim) == slug
    now_s += AGAIN_S
    assert await said(previews, victim) == later


async def test_a_child_that_hangs_is_killed(previews: Previews) -> None:
    previews._child = Child(patience_s=0.2)
    await previews.path(put(previews, picture(50)), "picture", "preview")
    pid = previews._child.pid
    assert pid is not None
    os.kill(pid, signal.SIGSTOP)
    assert await said(previews, put(previews, picture(50), "b" * 32)) == "timed-out"
    assert previews._child.pid is None
    assert not is_running(pid)


async def test_who_gives_up_does_not_take_it_from_others(previews: Previews) -> None:
    job = put(previews, picture(200))
    impatient = asyncio.ensure_future(previews.path(job, "picture", "preview"))
    patient = asyncio.ensure_future(previews.path(job, "picture", "preview"))
    await asyncio.sleep(0)
    impatient.cancel()
    assert (await patient).exists()


async def test_closing_tells_who_waits(previews: Previews) -> None:
    job = put(previews, picture(50))
    await previews.path(job, "picture", "preview")
    assert previews._child.pid is not None
    os.kill(previews._child.pid, signal.SIGSTOP)
    waiting = [asyncio.ensure_future(previews.path(job, "picture", "thumbnail")) for _ in range(2)]
    waiting += [asyncio.ensure_future(previews.path(job, "result", "thumbnail"))]
    await eventually(lambda: len(previews._making) == 2)
    await previews.close()
    told = await asyncio.gather(*waiting, return_exceptions=True)
    assert all(isinstance(each, BadInput | asyncio.CancelledError) for each in told)
    assert previews._child.pid is None
