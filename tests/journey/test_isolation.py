"""What a job does to the process that computes it is that job's own affair: no neighbour, no connection, no disk."""

import asyncio
import signal
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import numpy as np
import psutil
import pytest
from numpy.typing import NDArray
from PIL import Image

from bus.answers import Answer
from bus.errors import JobFailed
from bus.events import JobEvent, read_event
from bus.rabbit import Bus, Delivery
from bus.topology import DEAD, EVENTS, shared
from consumers.fetching import pull
from consumers.models import CATALOGUE, Models
from consumers.operations import REGISTRY, Limits
from producers.client import AsyncClient, JobHandle
from tests.bus.rabbit.foreign import Foreign
from tests.consumers.desk import heavy
from tests.consumers.operations.pictures import array, opened, saved
from tests.consumers.operations.pictures import photograph as real_photograph
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes
from tests.needed import need_package

pytestmark = [pytest.mark.journey, pytest.mark.broker]

JOBS = 50
POISON = "poison"
SLOW = {"style": "coloured", "format": "png"}
"""Takes seconds for `heavy()`, and over a gigabyte."""
PICTURES = [photograph(320 + n, 240, seed=n) for n in range(JOBS - 1)]

Settings = dict[str, str]


def computing(processes: Processes, vm: str) -> list[psutil.Process]:
    return psutil.Process(processes.pid(vm)).children()


@pytest.fixture
def started(request: pytest.FixtureRequest, amqp_url: str, tmp_path: Path) -> Iterator[Processes]:
    """A router, vm1 and vm2, with the settings that the test names."""
    processes = Processes(amqp_url, tmp_path, **request.param)
    try:
        processes.start_router()
        processes.start_vm("vm1")
        processes.start_vm("vm2")
        processes.wait_ready("vm1", "vm2")
        yield processes
    finally:
        processes.stop()


@asynccontextmanager
async def signalled(processes: Processes, number: signal.Signals | None) -> AsyncIterator[None]:
    """Meanwhile, send a signal to the process that computes the poison job, each time it begins."""

    def on_event(delivery: Delivery) -> None:
        event = read_event(delivery.message.body)
        if number and isinstance(event, JobEvent) and event.job == POISON and event.vm:
            for child in computing(processes, event.vm):
                child.send_signal(number)

    async with Bus(processes.url, name="test", topology=shared()) as bus:
        await bus.listen([(EVENTS, "job.running.*")], on_event)
        yield


DEATHS: dict[str, tuple[Settings, signal.Signals | None, str]] = {
    "SIGKILL": ({}, signal.SIGKILL, "too-many-attempts"),
    "SIGSTOP": ({"OVERSPILL_JOB_TIMEOUT_S": "5"}, signal.SIGSTOP, "timed-out"),
    "a memory bomb": ({"OVERSPILL_CHILD_MEMORY_MIB": "400"}, None, "out-of-memory"),
}


@pytest.mark.parametrize(("started", "number", "slug"), DEATHS.values(), ids=DEATHS, indirect=["started"])
@pytest.mark.skipif(sys.platform != "linux", reason="memory is capped on Linux alone")
async def test_a_poison_job_is_answered_and_costs_nobody_else_anything(
    started: Processes, number: signal.Signals | None, slug: str
) -> None:
    async with signalled(started, number), AsyncClient(started.url, user="anna") as client:
        poison, handles = await submit(client)
        answers = await asyncio.gather(*(handle.result(60) for handle in handles))
        with pytest.raises(JobFailed) as failed:
            await poison.result(60)
    assert failed.value.problem.slug == slug
    assert all(is_sketch_of(answer, picture) for answer, picture in zip(answers, PICTURES, strict=True))
    assert {answer.attempt for answer in answers} == {1}
    with Foreign(started.url) as operator:
        dead = await operator.get(DEAD)
        assert (dead.properties.message_id, dead.headers["attempt"], dead.body) == (POISON, 3, heavy())
        assert operator.depth(DEAD) == 0
    logs = started.log("vm1") + started.log("vm2")
    assert logs.count(f"job {POISON}, attempt") == 2
    assert "connection to" not in logs


async def submit(client: AsyncClient) -> tuple[JobHandle, list[JobHandle]]:
    """The poison job among the others."""
    before = [await client.submit(picture, "sketch") for picture in PICTURES[: JOBS // 2]]
    poison = await client.submit(heavy(), "sketch", job_id=POISON, params=SLOW)
    return poison, [*before, *[await client.submit(picture, "sketch") for picture in PICTURES[JOBS // 2 :]]]


# -- two users


async def test_five_hundred_interleaved_jobs_of_two_users_are_never_crossed(stack: str) -> None:
    chance = np.random.default_rng(3)
    pictures = [saved(Image.fromarray(chance.integers(0, 256, (36, 48, 3), np.uint8)), "PNG") for _ in range(500)]
    drawn = sketches(pictures)
    assert len({sketch.tobytes() for sketch in drawn}) == len(pictures)
    async with AsyncClient(stack, user="anna") as anna, AsyncClient(stack, user="ben") as ben:
        handles = [
            await (anna, ben)[number % 2].submit(picture, "sketch", params={"format": "png"}, job_id=str(number // 2))
            for number, picture in enumerate(pictures)
        ]
        answers = await asyncio.gather(*(handle.result(60) for handle in handles))
        assert anna.strangers == ben.strangers == 0
    for answer, expected in zip(answers, drawn, strict=True):
        assert np.array_equal(array(opened(answer.body)), expected)


def sketches(pictures: list[bytes]) -> list[NDArray[np.uint8]]:
    """What the answers must show, drawn here."""
    sketch = REGISTRY["sketch"]
    runner, chosen = sketch.load(Models(Path())), sketch.parse({"format": "png"})
    return [array(opened(runner.run(picture, chosen, Limits()).body)) for picture in pictures]


# -- nothing on disk


@pytest.fixture(scope="module")
def models_dir(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A models folder with remove-background's default network."""
    need_package("onnxruntime", "remove-background")
    folder = tmp_path_factory.mktemp("models")
    pull(Models(folder), CATALOGUE["u2netp"], lambda _done, _whole: None)
    return folder


@pytest.fixture
def unable_to_write(amqp_url: str, tmp_path: Path, models_dir: Path) -> Iterator[Processes]:
    """A router, and a vm1 that has loaded and from now on can't write a single byte to any file."""
    processes = Processes(amqp_url, tmp_path, OVERSPILL_MODELS_DIR=str(models_dir))
    try:
        processes.start_router()
        processes.start_vm("vm1", operations="sketch,remove-background")
        processes.wait_ready("vm1")
        for process in (psutil.Process(processes.pid("vm1")), *computing(processes, "vm1")):
            process.rlimit(psutil.RLIMIT_FSIZE, (0, 0))
        yield processes
    finally:
        processes.stop()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux limits a running process")
async def test_photographs_are_drawn_and_cut_out_without_a_byte_on_disk(unable_to_write: Processes) -> None:
    photo, log = real_photograph("astronaut"), unable_to_write.log("vm1")
    sketch, cut_out = await drawn_and_cut_out(unable_to_write.url, photo)
    assert np.array_equal(array(opened(sketch.body)), sketches([photo])[0])
    assert is_cut_out_of(cut_out, photo)
    unable_to_write.stop("vm1")
    assert unable_to_write.log("vm1") == log  # the limit held: it could not even log its end


async def drawn_and_cut_out(url: str, photo: bytes) -> list[Answer]:
    async with AsyncClient(url) as client:
        operations = ("sketch", "remove-background")
        handles = [await client.submit(photo, operation, params={"format": "png"}) for operation in operations]
        return [await handle.result(60) for handle in handles]


def is_cut_out_of(answer: Answer, photo: bytes) -> bool:
    """Whether the person in the middle is kept as it was, and the corner beside her head is gone."""
    pixels, original = array(opened(answer.body)), array(opened(photo))
    face, corner = (slice(100, 200), slice(180, 260)), (slice(0, 40), slice(0, 40))
    kept = np.abs(pixels[face][..., :3].astype(int) - original[face]).mean()
    return bool(pixels[face][..., 3].mean() > 250 and kept < 3 and pixels[corner][..., 3].mean() < 20)
