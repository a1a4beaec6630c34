"""Jobs pushed by Pub/Sub: each run once and answered before its push is settled, however often it comes."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from bridge.envelope import CloudAnswer, Parcel, read_answer
from bridge.service import pushes
from bridge.service.computing import Computing
from bridge.service.publishing import ResultsDown
from bridge.service.pushes import Pushes
from bus.blobs import Blobs, BlobsDown
from bus.errors import BadInput
from bus.problems import Problem
from consumers.claims import Claims
from tests.bridge.a_service import PHOTOGRAPH, Recorder, frozen, pushed, settings, slots
from tests.bus.rabbit.foreign import eventually
from tests.consumers.operations.pictures import opened
from tests.tracing import recorded

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Desk:
    """Takes pushes, and shows what was published."""

    def __init__(self, taking: Pushes, results: Recorder, child: int | None) -> None:
        self.take = taking.take
        self.results = results
        self.child = child

    @property
    def answers(self) -> list[CloudAnswer]:
        return [read_answer(parcel) for parcel in self.results.parcels]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("blobs")


@pytest.fixture
def store(folder: Path) -> Blobs:
    return Blobs(f"file://{folder}", most_bytes=1 << 24)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def computing(folder: Path) -> AsyncIterator[Computing]:
    """One for all tests: its process takes a while to start."""
    async with slots(settings(blobs=f"file://{folder}")) as computing:
        computing.load()
        await eventually(lambda: computing.served)
        yield computing


@pytest.fixture
def desk(computing: Computing, store: Blobs) -> Desk:
    results = Recorder()
    taking = Pushes(computing, Claims(store, 1 << 24), results, kept_bytes=1 << 24)
    return Desk(taking, results, computing._slots.children[0].pid)


def problem_of(answer: CloudAnswer) -> str:
    assert answer.content_type == "application/problem+json"
    return Problem.model_validate_json(answer.body).slug


async def test_a_job_is_answered_with_where_and_how_it_ran(desk: Desk) -> None:
    await desk.take(pushed("t1", attempt=2, params={"format": "png"}))
    (answer,) = desk.answers
    assert opened(answer.body).format == "PNG"
    assert (answer.ticket, answer.content_type, answer.vm) == ("t1", "image/png", "cloud")
    assert None not in (answer.model, answer.ran_ms, answer.began_ms)


async def test_a_job_pushed_again_while_it_runs_joins_the_run(desk: Desk) -> None:
    with frozen(desk.child):
        twice = [asyncio.create_task(desk.take(pushed("t1"))) for _ in range(2)]
        await asyncio.sleep(0.1)
        assert desk.answers == []
    await asyncio.gather(*twice)
    assert len(desk.answers) == 1


async def test_whoever_stops_waiting_takes_nothing_from_the_others(desk: Desk) -> None:
    with frozen(desk.child):
        first = asyncio.create_task(desk.take(pushed("t1")))
        second = asyncio.create_task(desk.take(pushed("t1")))
        await asyncio.sleep(0.1)
        first.cancel()
        await asyncio.gather(first, return_exceptions=True)
    await second
    assert len(desk.answers) == 1


async def test_a_job_pushed_again_after_its_end_gets_the_same_answer_without_a_run(desk: Desk) -> None:
    await desk.take(pushed("t1"))
    with frozen(desk.child):
        await desk.take(pushed("t1"))
    first, second = desk.answers
    assert first == second


async def test_an_answer_out_of_memory_is_a_span_of_another_name_than_a_run(desk: Desk) -> None:
    with recorded() as seen:
        for _ in range(2):
            await desk.take(pushed("again"))
    assert seen.names == ["run sketch", "answer"]
    assert [event.name for event in seen.spans["run sketch"].events] == ["computed"]
    assert list(seen.spans["answer"].events) == []
    assert seen.told("answer")["overspill.job"] == "again"


async def test_an_answer_that_could_not_be_published_is_published_by_the_next_push(desk: Desk) -> None:
    desk.results.down = True
    with pytest.raises(ResultsDown):
        await desk.take(pushed("t1"))
    desk.results.down = False
    with frozen(desk.child):
        await desk.take(pushed("t1"))
    assert [answer.content_type for answer in desk.answers] == ["image/jpeg"]


async def test_what_is_wrong_with_a_job_is_its_answer(desk: Desk) -> None:
    await desk.take(pushed("t1", body=b"no picture"))
    broken = pushed("t2")
    await desk.take(Parcel(broken.body, {**broken.attributes, "params": "{not json"}))
    await desk.take(pushed("t3", deadline_ms=17))
    assert [(answer.ticket, problem_of(answer)) for answer in desk.answers] == [
        ("t1", "not-an-image"),
        ("t2", "bad-field"),
        ("t3", "expired"),
    ]
    assert {answer.vm for answer in desk.answers} == {"cloud"}


async def test_what_is_no_job_is_refused(desk: Desk) -> None:
    for stray in ({}, {"kind": "answer", "ticket": "t1"}, {"kind": "job"}):
        with pytest.raises(BadInput, match="is no job"):
            await desk.take(Parcel(b"", stray))
    assert desk.results.parcels == []


async def test_a_job_that_is_not_served_goes_home_as_it_came(desk: Desk) -> None:
    sent = pushed("t1", operation="caption", params={"words": 3})
    await desk.take(sent)
    (home,) = desk.results.parcels
    assert (home.kind, home.ticket, home.body) == ("returned", "t1", PHOTOGRAPH)
    assert home.attributes["params"] == sent.attributes["params"]
    assert "OVERSPILL_OPERATIONS" in home.attributes["reason"]


async def test_a_claimed_picture_is_fetched_and_a_large_result_is_left_in_the_store(
    desk: Desk, store: Blobs, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "LARGEST_BODY", 10_000)
    claim = await store.put("pictures", PHOTOGRAPH)
    await desk.take(pushed("t1", body=b"", claim=claim))
    await desk.take(pushed("t1", body=b"", claim=claim))
    first, second = desk.answers
    assert first == second  # put there once
    assert (first.body, first.content_type) == (b"", "image/jpeg")
    assert None not in (first.claim, first.vm, first.model, first.ran_ms, first.began_ms)
    assert first.claim is not None
    assert opened(await store.get(first.claim)).format == "JPEG"


async def test_a_store_that_is_down_leaves_the_run_to_the_next_push(
    desk: Desk, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "LARGEST_BODY", 10_000)
    in_the_way = folder / "results"
    shutil.rmtree(in_the_way, ignore_errors=True)
    in_the_way.write_text("where a folder should be")
    with pytest.raises(BlobsDown):
        await desk.take(pushed("t1"))
    in_the_way.unlink()
    with frozen(desk.child):
        await desk.take(pushed("t1"))
    assert [answer.claim is not None for answer in desk.answers] == [True]


async def test_without_a_store_a_large_result_is_a_problem(
    computing: Computing, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(pushes, "LARGEST_BODY", 10_000)
    results = Recorder()
    await Pushes(computing, Claims(None, 1 << 24), results, kept_bytes=0).take(pushed("t1"))
    answer = read_answer(results.parcels[0])
    assert problem_of(answer) == "too-many-bytes"
    assert answer.ran_ms is not None


async def test_a_picture_that_only_others_can_fetch_goes_home_and_its_caller_is_not_blamed() -> None:
    results = Recorder()
    async with slots(settings(blobs=None)) as storeless:
        storeless.load()
        taking = Pushes(storeless, Claims(None, 1 << 24), results, kept_bytes=1 << 24)
        for link in (None, "https://storage.googleapis.com.example/picture"):
            parcel = pushed("t1", body=b"", claim=f"pictures/20300131/{32 * 'a'}")
            linked = {} if link is None else {"link": link}
            await taking.take(Parcel(b"", {**parcel.attributes, **linked}))
    assert [(parcel.kind, parcel.attributes["served"]) for parcel in results.parcels] == [("returned", "yes")] * 2
    assert "OVERSPILL_BLOBS" in results.parcels[0].attributes["reason"]
