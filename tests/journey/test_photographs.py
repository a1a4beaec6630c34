"""Photographs become sketches, each its own caller's."""

import asyncio
import io
import struct
import time
import zlib

import pytest

from bus.answers import Answer
from bus.errors import JobFailed
from producers.client import AsyncClient, Client
from tests.journey.pictures import is_sketch_of, photograph
from tests.journey.processes import Processes

pytestmark = [pytest.mark.journey, pytest.mark.broker]

CALLERS = 3
JOBS = 200


async def test_two_hundred_photographs_of_three_callers(stack: str) -> None:
    sizes = [(120 + n, 90 + 7 * (n % 40)) for n in range(JOBS)]

    async def caller(number: int) -> list[tuple[bytes, Answer]]:
        mine = [photograph(*size, seed=n) for n, size in enumerate(sizes) if n % CALLERS == number]
        async with AsyncClient(stack, user=f"caller{number}") as client:
            outcomes = [(image, outcome) async for image, outcome in client.map("sketch", mine, timeout_s=60)]
            assert client.strangers == 0
        assert all(isinstance(outcome, Answer) for _, outcome in outcomes), outcomes
        return [
            (image, outcome) for image, outcome in outcomes if isinstance(image, bytes) and isinstance(outcome, Answer)
        ]

    answered = [pair for pairs in await asyncio.gather(*map(caller, range(CALLERS))) for pair in pairs]
    assert len(answered) == JOBS
    assert all(is_sketch_of(answer, image) for image, answer in answered)
    assert {answer.vm for _, answer in answered} == {"vm1", "vm2"}
    assert {answer.route for _, answer in answered} == {"vm"}


def huge_png() -> bytes:
    """A whole PNG of 20,000 x 20,000 black pixels: under 400 KB, 400 megapixels."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(1)
    rows = io.BytesIO()
    for _ in range(20_000):
        rows.write(packer.compress(bytes(1 + 20_000 // 8)))
    rows.write(packer.flush())
    header = struct.pack(">IIBBBBB", 20_000, 20_000, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", rows.getvalue()) + chunk(b"IEND", b"")


@pytest.mark.parametrize(
    ("operation", "body", "slug", "named"),
    [
        ("polish", b"x", "unknown-operation", "sketch, remove-background, caption"),
        ("sketch", b"", "empty-image", "body"),
        ("sketch", b"Dear Sir, please find my photograph", "not-an-image", "JPEG, PNG"),
        ("sketch", huge_png(), "too-many-pixels", "at most 50,000,000"),
    ],
    ids=["unknown operation", "empty body", "text", "20,000 x 20,000 pixels"],
)
async def test_bad_input_is_answered_with_limit_and_remedy(
    stack: str, operation: str, body: bytes, slug: str, named: str
) -> None:
    async with AsyncClient(stack) as client:
        handle = await client.submit(body, operation)
        with pytest.raises(JobFailed) as failed:
            await handle.result(timeout_s=10)
    problem = failed.value.problem
    assert problem.slug == slug
    assert problem.remedy
    assert named in f"{problem.detail} {problem.remedy}"


def test_without_a_vm_the_job_waits_and_runs_when_one_comes(processes: Processes) -> None:
    processes.start_router()
    image = photograph(200, 150)
    with Client(processes.url) as client:
        handle = client.submit(image, "sketch")
        processes.wait_ready()
        time.sleep(1)
        assert not handle.done
        processes.start_vm("vm1")
        assert is_sketch_of(handle.result(timeout_s=60), image)


async def test_a_repeat_of_a_job_is_answered_and_not_run_twice(stack: str) -> None:
    image = photograph(300, 200)
    async with AsyncClient(stack, user="anna") as first, AsyncClient(stack, user="anna") as second:
        one = await (await first.submit(image, "sketch", job_id="holiday-1")).result(timeout_s=30)
        two = await (await second.submit(image, "sketch", job_id="holiday-1")).result(timeout_s=30)
    assert one.body == two.body
    # The run's own figures, to the millisecond, are those of the first.
    assert (one.vm, one.waited_ms, one.ran_ms) == (two.vm, two.waited_ms, two.ran_ms)


async def test_the_same_id_of_two_callers_never_crosses_their_pictures(stack: str) -> None:
    mine, yours = photograph(300, 200, seed=1), photograph(300, 200, seed=2)
    async with AsyncClient(stack) as first, AsyncClient(stack) as second:
        handles = [await first.submit(mine, "sketch", job_id="1"), await second.submit(yours, "sketch", job_id="1")]
        one, two = [await handle.result(timeout_s=30) for handle in handles]
    assert is_sketch_of(one, mine)
    assert is_sketch_of(two, yours)
    assert one.body != two.body
