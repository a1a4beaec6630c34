"""The pool's own ways with services that die, hang, have no room or change; what any cloud keeps: cloud_suite.py."""

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack
from dataclasses import replace

import pytest

from bridge.cloud import Cloud, CloudDown
from bridge.envelope import read_answer
from bus.errors import SetupError
from bus.problems import Problem
from tests.bridge.cloud_suite import BREAKS, NOT_SERVED, Reply, opened
from tests.bridge.tiny_http import HANG_UP, Request, response
from tests.needed import need_package

need_package("httpx", "bridge")
from bridge.pool.memory import Memory  # noqa: E402 (what it needs may be missing)
from tests.bridge.http_stand import HURRIED, READY, HttpStand, pool, said_ready  # noqa: E402 (what it needs may be missing)


@pytest.fixture
async def two() -> AsyncIterator[tuple[HttpStand, HttpStand]]:
    """Two services, each of which tells its name."""
    async with AsyncExitStack() as stack:
        stands = HttpStand(), HttpStand()
        for stand, name in zip(stands, ("first", "second"), strict=True):
            await stand.service.start()
            stack.push_async_callback(stand.service.stop)
            stand.always = Reply(vm=name)
        yield stands


async def room(cloud: Cloud, jobs: int) -> None:
    """Wait until the pool has room for so many."""
    async with asyncio.timeout(10):
        while cloud.capacity() != jobs:  # noqa: ASYNC110 (it is polled as the bridge polls it)
            await asyncio.sleep(0.01)


async def hang_up(request: Request) -> bytes:
    return HANG_UP


async def no_room(request: Request) -> bytes:
    return said_ready(READY) if request.path == "/ready" else response(503, b"", retry_after="1")


async def test_jobs_spread_over_the_services(two: tuple[HttpStand, HttpStand]) -> None:
    async with opened(pool(two[0].service.url, two[1].service.url)) as post:
        for number in range(4):
            await post.send(f"ticket-{number}")
            await post.next_done()
    assert [len(stand.posts) for stand in two] == [2, 2]


async def test_an_operation_goes_where_the_settings_send_it(two: tuple[HttpStand, HttpStand]) -> None:
    async with opened(pool(f"sketch={two[0].service.url}", f"caption={two[1].service.url}")) as post:
        assert post.cloud.operations == ("sketch", "caption")
        await post.send("ticket-1", operation="caption")
        assert read_answer((await post.next_done()).parcel).vm == "second"
        with pytest.raises(CloudDown, match="OVERSPILL_CLOUD_SERVICES"):
            await post.send("ticket-2", operation="remove-background")


async def test_a_service_that_hangs_up_is_passed_over_and_comes_back(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    async with opened(pool(first.service.url)) as post:
        first.service.handler = hang_up
        await post.send("ticket-1")
        await room(post.cloud, 0)
        first.service.handler = first.handle
        assert read_answer((await post.next_done()).parcel).vm == "first"


async def test_a_service_killed_in_the_middle_of_a_job_has_its_job_done_by_another(
    two: tuple[HttpStand, HttpStand],
) -> None:
    first, second = two
    first.open.clear()
    async with opened(pool(first.service.url, second.service.url)) as post:
        await post.send("ticket-1")
        await first.seen.get()
        await first.service.stop()
        assert read_answer((await post.next_done()).parcel).vm == "second"


async def test_a_service_that_hangs_is_left_for_another(two: tuple[HttpStand, HttpStand]) -> None:
    first, second = two
    first.open.clear()
    async with opened(pool(first.service.url, second.service.url, job_timeout_s=0.2)) as post:
        await post.send("ticket-1")
        assert read_answer((await post.next_done()).parcel).vm == "second"


async def test_a_service_without_room_is_passed_over(two: tuple[HttpStand, HttpStand]) -> None:
    first, second = two
    first.service.handler = no_room
    async with opened(pool(first.service.url, second.service.url)) as post:
        for number in range(3):
            await post.send(f"ticket-{number}")
            assert read_answer((await post.next_done()).parcel).vm == "second"


async def test_a_job_that_nobody_has_room_for_goes_home(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.service.handler = no_room
    async with opened(pool(first.service.url, max_attempts=1)) as post:
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert (arrival.dead, arrival.parcel.kind) == (False, "returned")
    assert arrival.parcel.attributes["reason"] == f"{first.service.url} has no room (it says 503)"


async def test_a_job_for_a_service_that_has_gone_goes_home(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    async with opened(pool(first.service.url, max_attempts=1)) as post:
        await first.service.stop()
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert (arrival.dead, arrival.parcel.kind) == (False, "returned")
    assert "is out of reach" in arrival.parcel.attributes["reason"]


async def test_a_service_that_answers_between_its_failures_does_not_rest_ever_longer(
    two: tuple[HttpStand, HttpStand],
) -> None:
    first, _ = two
    async with opened(pool(first.service.url)) as post:
        for number in range(12):  # doubled each time, the rests would take minutes
            first.says = [BREAKS]
            await post.send(f"ticket-{number}")
            assert (await post.next_done()).parcel.kind == "answer"


async def test_a_service_that_refuses_the_token_is_named_with_the_remedy(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two

    async def closed(request: Request) -> bytes:
        return said_ready(READY) if request.path == "/ready" else response(401)

    first.service.handler = closed
    async with opened(pool(first.service.url, max_attempts=1, service_token="wrong")) as post:
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert arrival.parcel.kind == "returned"
    assert "OVERSPILL_SERVICE_TOKEN" in arrival.parcel.attributes["reason"]


async def test_the_token_and_the_job_are_sent(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    async with opened(pool(first.service.url, service_token="secret")) as post:
        await post.send("ticket-1", params={"format": "png"})
        await post.next_done()
    headers = first.posts[0].headers
    assert (headers["authorization"], headers["params"]) == ("Bearer secret", '{"format": "png"}')
    assert "ticket-1" not in str(first.posts[0].headers)


async def test_the_caller_of_a_dead_job_learns_nothing_of_our_network(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two

    async def broken(request: Request) -> bytes:
        return said_ready(READY) if request.path == "/ready" else HANG_UP

    first.service.handler = broken
    async with opened(pool(first.service.url, max_attempts=1)) as post:
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert (arrival.dead, arrival.parcel.attributes["reason"]) == (True, "it broke off")


@pytest.mark.parametrize("token", ["secret\n", "gehéim"])
async def test_a_job_that_can_not_be_posted_goes_home_without_a_word_of_why(
    token: str, two: tuple[HttpStand, HttpStand]
) -> None:
    unsendable = pool(two[0].service.url)
    # Settings refuse such a token; something else may be as wrong.
    unsendable._settings = unsendable._settings.model_copy(update={"service_token": token})
    async with opened(unsendable) as post:
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert (arrival.dead, arrival.parcel.kind) == (False, "returned")
    assert arrival.parcel.attributes["reason"] == "it could not be posted; the bridge's log tells why"


async def test_a_result_without_end_is_cut_off_and_answered_with_a_problem(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.always = Reply(b"x" * 5000)
    async with opened(pool(first.service.url, max_claim_bytes=4000)) as post:
        await post.send("ticket-1")
        answer = read_answer((await post.next_done()).parcel)
    assert Problem.model_validate_json(answer.body).slug == "too-many-bytes"
    assert len(first.posts) == 1


async def test_what_a_service_no_longer_serves_is_no_longer_offered(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.ready = said_ready({"operations": ["sketch", "caption"], "not_served": {"remove-background": "no weights"}})
    async with opened(pool(first.service.url)) as post:
        assert set(post.cloud.operations) == {"sketch", "caption"}
        assert post.cloud.capacity() is None  # it does not tell its slots
        first.always = NOT_SERVED
        await post.send("ticket-1")
        assert (await post.next_done()).parcel.kind == "returned"
        assert set(post.cloud.operations) == {"caption"}
        with pytest.raises(CloudDown, match="does not serve sketch"):
            await post.send("ticket-2")


async def test_room_is_what_the_services_tell(two: tuple[HttpStand, HttpStand]) -> None:
    first, second = two
    first.open.clear()
    async with opened(pool(first.service.url, second.service.url)) as post:
        assert post.cloud.capacity() == 8
        await post.send("ticket-1")
        await first.seen.get()
        assert post.cloud.capacity() == 7
        first.open.set()
        await post.next_done()
        assert post.cloud.capacity() == 8


async def test_there_is_no_room_while_jobs_fill_the_memory(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.open.clear()
    async with opened(pool(first.service.url, memory=Memory(1000))) as post:
        await post.send("ticket-1", body=bytes(999))
        await first.seen.get()
        assert post.cloud.capacity() == 3
        await post.send("ticket-2", body=b"1")
        await first.seen.get()
        assert post.cloud.capacity() == 0
        first.open.set()
        await post.next_done()
        await post.next_done()
        assert post.cloud.capacity() == 4


async def test_an_answer_is_read_when_the_one_before_it_is_done_with(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.always = Reply(b"x" * 600)
    patience = replace(HURRIED, over_s=1.0)
    async with opened(pool(first.service.url, patience=patience, memory=Memory(1000), job_timeout_s=0.2)) as post:
        for number in range(2):
            await post.send(f"ticket-{number}")
        one = await post.next()
        await asyncio.sleep(1.5)  # beyond all patience with a service: the wait is no fault of its
        assert post.cloud._arrivals.empty()  # type: ignore[attr-defined]  # a pool's, by what a Cloud shows
        one.done()
        (await post.next()).done()
        assert post.cloud.capacity() == 4
    assert len(first.posts) == 2


async def test_a_job_past_its_deadline_is_let_go(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    first.open.clear()
    async with opened(pool(first.service.url)) as post:
        await post.send("ticket-1", deadline_ms=time.time_ns() // 1_000_000 + 100)
        await first.seen.get()
        await room(post.cloud, 4)
        first.open.set()
        await post.send("ticket-2")
        assert (await post.next_done()).parcel.ticket == "ticket-2"


async def test_a_dead_job_tells_what_broke(two: tuple[HttpStand, HttpStand]) -> None:
    for stand in two:
        stand.always = BREAKS
    async with opened(pool(two[0].service.url, two[1].service.url)) as post:
        await post.send("ticket-1")
        arrival = await post.next_done()
    assert arrival.dead
    assert arrival.parcel.attributes["reason"] == "it failed: it says 500"
    assert sorted(len(stand.posts) for stand in two) == [1, 2]


async def test_a_pool_whose_services_come_later_opens_and_finds_them(two: tuple[HttpStand, HttpStand]) -> None:
    first, _ = two
    await first.service.stop()
    async with opened(pool(first.service.url)) as post:
        assert post.cloud.capacity() == 0
        with pytest.raises(CloudDown, match="out of reach"):
            await post.send("ticket-1")
        await first.service.start()
        await room(post.cloud, 4)
        await post.send("ticket-1")
        assert read_answer((await post.next_done()).parcel).vm == "first"


async def test_a_pool_of_nobody_can_never_work() -> None:
    with pytest.raises(SetupError, match="OVERSPILL_CLOUD_SERVICES"):
        pool()


async def test_the_cloud_service_is_such_a_service() -> None:
    """The seam at which the two are written apart: what one sends, the other reads."""
    need_package("starlette", "service")
    from tests.bridge.a_service import PHOTOGRAPH, service

    async with service(None, cloud="http", service_token="secret") as running:
        await running.ready()
        async with opened(pool(running.url, service_token="wrong", max_attempts=1)) as post:
            await post.send("ticket-1")
            assert "OVERSPILL_SERVICE_TOKEN" in (await post.next_done()).parcel.attributes["reason"]
        async with opened(pool(running.url, service_token="secret")) as post:
            assert (post.cloud.operations, post.cloud.capacity()) == (("sketch",), 2)
            await post.send("ticket-2", body=PHOTOGRAPH, params={"format": "png"})
            sketch = read_answer((await post.next_done()).parcel)
            await post.send("ticket-3", body=b"no picture at all")
            refusal = read_answer((await post.next_done()).parcel)
            await post.send("ticket-4", body=PHOTOGRAPH, params={"blur": "x" * 5000})
            form = read_answer((await post.next_done()).parcel)
            await post.send("ticket-5", body=PHOTOGRAPH, deadline_ms=1_900_000_000_000)
            in_time = read_answer((await post.next_done()).parcel)
    assert (sketch.content_type, sketch.body[:4], sketch.vm) == ("image/png", b"\x89PNG", "cloud")
    assert sketch.ran_ms is not None
    assert Problem.model_validate_json(refusal.body).slug == "not-an-image"
    assert Problem.model_validate_json(form.body).field == "params.blur"
    assert in_time.content_type == "image/jpeg"
