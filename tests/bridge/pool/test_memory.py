"""How much a pool holds in memory, and who waits."""

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bridge.pool.memory import Memory


async def reads(memory: Memory, size: int, read: list[int], let_go: asyncio.Event) -> None:
    async with memory.reading(size):
        read.append(size)
        await let_go.wait()


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_jobs_and_answers_fill_it_together() -> None:
    memory = Memory(100)
    with memory.job(60):
        assert not memory.full
        memory.keep(40)
        assert memory.full
        memory.forget(40)
        async with memory.reading(40):
            assert memory.full
        assert not memory.full


def test_a_job_that_fails_takes_no_more_room() -> None:
    memory = Memory(100)
    with pytest.raises(ValueError, match="it fails"), memory.job(100):
        raise ValueError("it fails")
    assert not memory.full


async def test_an_answer_waits_for_room_and_none_overtakes_it() -> None:
    memory, read, let_go = Memory(100), list[int](), asyncio.Event()
    memory.keep(50)
    waiting = [asyncio.create_task(reads(memory, size, read, let_go)) for size in (60, 10)]
    await settle()
    assert read == []
    memory.forget(10)
    await settle()
    assert read == [60]
    memory.forget(40)
    await settle()
    assert read == [60, 10]
    let_go.set()
    await asyncio.gather(*waiting)


async def test_a_job_that_ends_makes_room() -> None:
    memory, read, let_go = Memory(100), list[int](), asyncio.Event()
    memory.keep(10)
    with memory.job(90):
        waiting = asyncio.create_task(reads(memory, 20, read, let_go))
        await settle()
        assert read == []
    await settle()
    assert read == [20]
    let_go.set()
    await waiting


async def test_one_answer_is_read_whatever_jobs_take() -> None:
    memory = Memory(100)
    with memory.job(500):
        async with asyncio.timeout(10), memory.reading(500):
            assert memory.full


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    memory, read, let_go = Memory(100), list[int](), asyncio.Event()
    memory.keep(50)
    first, second = (asyncio.create_task(reads(memory, size, read, let_go)) for size in (60, 50))
    await settle()
    first.cancel()
    await settle()
    assert (first.cancelled(), read) == (True, [50])
    let_go.set()
    await second
    memory.forget(50)
    async with memory.reading(100):
        assert memory.full


@given(sizes=st.lists(st.integers(0, 150), max_size=12), job=st.integers(0, 150))
def test_no_more_is_held_than_allowed_but_for_one(sizes: list[int], job: int) -> None:
    asyncio.run(_all_are_read(sizes, job))


async def _all_are_read(sizes: list[int], job: int) -> None:
    memory, held, most = Memory(100), list[int](), 0

    async def read(size: int) -> None:
        nonlocal most
        async with memory.reading(size):
            held.append(size)
            if len([one for one in held if one]) > 1:
                most = max(most, sum(held))
            await asyncio.sleep(0)
            held.remove(size)

    with memory.job(job):
        await asyncio.gather(*(read(size) for size in sizes))
    assert (most <= max(0, 100 - job), held, memory.full) == (True, [], False)
