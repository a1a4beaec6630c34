"""The cloud service over real HTTP: what Pub/Sub pushes, what callers post, who is let in, and how it ends."""

import asyncio
import io
import json
import logging
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from bridge import cloudrun
from bridge.cloudrun import listen
from bridge.envelope import Parcel, read_answer
from bridge.service.computing import WAITING_PER_SLOT
from bus.blobs import Blobs
from bus.errors import SetupError
from telemetry import logs
from tests.bridge.a_service import PHOTOGRAPH, Recorder, Running, envelope, frozen, pushed, service, settings
from tests.bridge.tokens import ACCOUNT, AUDIENCE, google, token
from tests.consumers.desk import computing
from tests.consumers.operations.pictures import opened
from tests.tracing import recorded

TRACE = "0af7651916cd43dd8448eb211c80319c"


pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def shared() -> AsyncIterator[tuple[Running, Recorder]]:
    """One service for all tests that leave it running: its process takes a while to start."""
    results = Recorder()
    async with service(results) as running:
        await running.ready()
        yield running, results


@pytest.fixture
def running(shared: tuple[Running, Recorder]) -> Running:
    return shared[0]


@pytest.fixture
def results(shared: tuple[Running, Recorder]) -> Recorder:
    """What is published from now on."""
    _, results = shared
    results.parcels.clear()
    results.down = False
    return results


def problem(response: httpx.Response) -> tuple[int, str]:
    assert response.headers["content-type"] == "application/problem+json"
    return response.status_code, response.json()["type"].removeprefix("urn:overspill:problem:")


# -- pushes


async def test_a_push_is_settled_once_its_answer_is_published(running: Running, results: Recorder) -> None:
    with frozen(running.child):
        pushing = asyncio.create_task(running.client.post("/push", json=envelope(pushed("settled"))))
        await asyncio.sleep(0.2)
        assert not pushing.done()
        assert results.parcels == []
    assert (await pushing).status_code == 204
    (answer,) = map(read_answer, results.parcels)
    assert (answer.ticket, answer.vm, opened(answer.body).format) == ("settled", "cloud", "JPEG")


async def test_bad_input_settles_a_push_for_good_and_passing_faults_do_not(running: Running, results: Recorder) -> None:
    assert (await running.client.post("/push", json=envelope(pushed("bad", body=b"no picture")))).status_code == 204
    assert (
        await running.client.post("/push", json=envelope(pushed("elsewhere", operation="caption")))
    ).status_code == 204
    assert [parcel.kind for parcel in results.parcels] == ["answer", "returned"]
    results.down = True
    assert problem(await running.client.post("/push", json=envelope(pushed("down")))) == (503, "about:blank")


async def test_a_push_whose_process_crashes_comes_again(running: Running, results: Recorder) -> None:
    with frozen(running.child) as pid:
        pushing = asyncio.create_task(running.client.post("/push", json=envelope(pushed("crashes"))))
        await asyncio.sleep(0.2)
        os.kill(pid, signal.SIGKILL)
        crashed = await pushing
    assert problem(crashed) == (500, "about:blank")
    assert "retry-after" not in crashed.headers
    assert (await running.client.post("/push", json=envelope(pushed("crashes")))).status_code == 204
    assert len(results.parcels) == 1


async def test_what_is_no_push_is_refused(running: Running, results: Recorder) -> None:
    strays: list[Any] = ["garbage", {}, {"message": {"data": "***"}}, envelope(Parcel(b"", {"kind": "answer"}))]
    for stray in strays:
        assert problem(await running.client.post("/push", json=stray)) == (400, "about:blank")
    large = await running.client.post("/push", content=bytes(cloudrun.PUSH_BYTES + 1))
    assert problem(large) == (413, "about:blank")
    assert results.parcels == []


async def test_the_largest_push_is_taken(running: Running, results: Recorder) -> None:
    noise = os.urandom(9_400_000)
    assert (await running.client.post("/push", json=envelope(pushed("large", body=noise)))).status_code == 204
    assert read_answer(results.parcels[0]).content_type == "application/problem+json"


async def test_the_log_tells_the_ticket_and_the_trace_of_a_push(results: Recorder) -> None:
    written = io.StringIO()
    handler = logging.StreamHandler(written)
    handler.setFormatter(logs.json_lines("cloud-service", "mine", in_cloud=True))
    logger = logging.getLogger("bridge.service.pushes")
    logger.addHandler(handler)
    logger.setLevel("INFO")
    try:
        async with service(results) as running:
            sent = pushed("t1", traceparent=f"00-{TRACE}-b7ad6b7169203331-01")
            assert (await running.client.post("/push", json=envelope(sent))).status_code == 204
    finally:
        logger.removeHandler(handler)
        logger.setLevel(logging.NOTSET)
    line = json.loads(written.getvalue())
    assert (line["severity"], line["ticket"]) == ("INFO", "t1")
    assert line["message"].startswith("sketch: done after")
    assert line["logging.googleapis.com/trace"] == f"projects/mine/traces/{TRACE}"


async def test_a_run_is_a_span_between_the_job_and_its_answer(running: Running, results: Recorder) -> None:
    under = f"00-{TRACE}-b7ad6b7169203331-01"
    with recorded() as seen:
        await running.client.post("/push", json=envelope(pushed("traced", traceparent=under)))
        assert (seen.trace("run sketch"), seen.parent("run sketch")) == (TRACE, "b7ad6b7169203331")
        ours = f"00-{TRACE}-{seen.id('run sketch')}-01"
        assert results.parcels[0].attributes["traceparent"] == ours
        assert seen.told("run sketch")["overspill.job"] == "traced"
        called = await running.client.post("/v1/sketch", content=PHOTOGRAPH, headers={"traceparent": ours})
        assert called.headers["traceparent"] == f"00-{TRACE}-{seen.id('run sketch')}-01"
        assert called.headers["traceparent"] != ours
        await running.client.post("/push", json=envelope(pushed("garbage", body=b"no picture")))
        assert seen.error("run sketch") == "not-an-image"
        await running.client.post("/v1/sketch", content=PHOTOGRAPH)
        assert seen.error("run sketch") is None
        await running.client.post("/v1/sketch", content=b"no picture")
        assert seen.error("run sketch") == "not-an-image"
    plain = await running.client.post("/v1/sketch", content=PHOTOGRAPH, headers={"traceparent": "garbage"})
    assert "traceparent" not in plain.headers


# -- calls


async def test_a_call_is_answered_with_the_picture(running: Running) -> None:
    raw = await running.client.post("/v1/sketch", content=PHOTOGRAPH, params={"params": '{"format": "png"}'})
    form = await running.client.post(
        "/v1/sketch", files={"image": ("cup.jpg", PHOTOGRAPH)}, data={"params": '{"format": "png"}'}
    )
    header = await running.client.post("/v1/sketch", content=PHOTOGRAPH, headers={"params": '{"format": "png"}'})
    for response in (raw, form, header):
        assert (response.status_code, response.headers["content-type"]) == (200, "image/png")
        assert response.headers["x-overspill-vm"] == "cloud"
        assert response.headers["x-overspill-model"]
        assert int(response.headers["x-overspill-ran-ms"]) >= 0
        assert response.headers["x-content-type-options"] == "nosniff"
        assert opened(response.content).format == "PNG"
    assert raw.content == form.content == header.content


REFUSED: dict[str, tuple[dict[str, Any], int, str]] = {
    "unknown": ({"url": "/v1/paint"}, 404, "unknown-operation"),
    "not served": ({"url": "/v1/caption"}, 404, "unknown-operation"),
    "empty": ({"content": b""}, 400, "empty-image"),
    "no picture": ({"content": b"no picture"}, 415, "not-an-image"),
    "params no object": ({"params": {"params": "[]"}}, 422, "bad-field"),
    "bad params": ({"params": {"params": '{"format": "exe"}'}}, 422, "bad-field"),
    "bad deadline": ({"headers": {"deadline-ms": "soon"}}, 422, "bad-field"),
    "expired": ({"headers": {"deadline-ms": "17"}}, 504, "expired"),
    "body and claim": ({"headers": {"claim": "pictures/20261123/" + "0" * 32}}, 422, "bad-field"),
    "bad claim": ({"headers": {"claim": "../../etc/passwd"}, "content": b""}, 422, "bad-field"),
    "large": ({"content": bytes((16 << 20) + 1)}, 413, "too-many-bytes"),
    "another method": ({"method": "GET"}, 405, "about:blank"),
    "another path": ({"url": "/nowhere"}, 404, "about:blank"),
}


async def test_a_call_that_can_not_be_answered_says_why(running: Running) -> None:
    for name, (call, status, slug) in REFUSED.items():
        whole = {"method": "POST", "url": "/v1/sketch", "content": PHOTOGRAPH, **call}
        assert problem(await running.client.request(**whole)) == (status, slug), name


async def test_a_claimed_picture_is_fetched_from_the_store(results: Recorder, tmp_path: Path) -> None:
    store = f"file://{tmp_path}"
    claim = await Blobs(store, most_bytes=1 << 20).put("pictures", PHOTOGRAPH)
    async with service(results, blobs=store) as running:
        response = await running.client.post("/v1/sketch", headers={"claim": claim})
    assert (response.status_code, opened(response.content).format) == (200, "JPEG")


async def test_when_the_line_is_full_others_are_asked_to_come_again(running: Running) -> None:
    with frozen(running.child):
        calls = [
            asyncio.create_task(running.client.post("/v1/sketch", content=PHOTOGRAPH))
            for _ in range(1 + WAITING_PER_SLOT)
        ]
        await asyncio.sleep(0.2)
        for path in ("/v1/sketch", "/push"):
            full = await running.client.post(path, content=PHOTOGRAPH)
            assert problem(full) == (503, "about:blank")
            assert full.headers["retry-after"] == "1"
    assert [response.status_code for response in await asyncio.gather(*calls)] == [200] * len(calls)


async def test_it_says_what_it_serves_and_that_it_lives(running: Running) -> None:
    assert await running.ready() == {"operations": ["sketch"], "not_served": {}, "slots": 1}
    assert (await running.client.get("/health")).json() == {"status": "alive"}


# -- who is let in


async def test_without_the_token_of_the_right_account_nothing_is_pushed(results: Recorder) -> None:
    with google() as certificates:
        verified = {"cloud_push_account": ACCOUNT, "cloud_audience": AUDIENCE, "cloud_certs_url": certificates.url}
        async with service(results, cloud_push_unverified=False, **verified, service_token="secret") as running:
            push = envelope(pushed())
            for secret, status in {
                None: 401,
                "garbage": 401,
                "secret": 401,
                token(aud="https://other.example"): 401,
                token(email="other@example.com"): 403,
                token(): 204,
            }.items():
                headers = {} if secret is None else {"authorization": f"Bearer {secret}"}
                assert (await running.client.post("/push", json=push, headers=headers)).status_code == status
            assert len(results.parcels) == 1
            assert (await running.client.post("/v1/sketch", content=PHOTOGRAPH)).status_code == 401
            headers = {"authorization": "Bearer secret"}
            assert (await running.client.post("/v1/sketch", content=PHOTOGRAPH, headers=headers)).status_code == 200
            certificates.status, certificates.document = 500, {}
            headers = {"authorization": f"Bearer {token('two')}"}
            assert (await running.client.post("/push", json=push, headers=headers)).status_code == 401


async def test_without_pubsub_nothing_is_pushed() -> None:
    async with service(None, cloud="http", cloud_push_unverified=False) as running:
        assert problem(await running.client.post("/push", json=envelope(pushed()))) == (404, "about:blank")
        assert (await running.client.post("/v1/sketch", content=PHOTOGRAPH)).status_code == 200


async def test_a_door_left_open_is_refused_before_anything_starts(results: Recorder) -> None:
    before = computing()
    with listen("127.0.0.1", 0) as port, pytest.raises(SetupError, match="OVERSPILL_CLOUD_PUSH_ACCOUNT"):
        await cloudrun.serve_until(asyncio.Event(), settings(cloud_push_unverified=False), results, port)
    assert computing() == before


async def test_a_door_left_open_is_refused_before_anybody_could_come_in(caplog: pytest.LogCaptureFixture) -> None:
    open_to_all = settings(cloud="http", cloud_push_unverified=False, service_host="0.0.0.0", port=0)
    caplog.set_level("INFO")
    with pytest.raises(SetupError, match="OVERSPILL_SERVICE_TOKEN"):
        await cloudrun._serve(asyncio.Event(), open_to_all)
    assert "cloud service on" not in caplog.text


# -- beginning and end


async def test_it_finishes_what_runs_before_it_ends() -> None:
    results = Recorder()
    async with service(results) as running:
        await running.ready()
        with frozen(running.child):
            pushing = asyncio.create_task(running.client.post("/push", json=envelope(pushed("t1"))))
            await asyncio.sleep(0.2)
            waiting = asyncio.create_task(running.client.post("/push", json=envelope(pushed("t2"))))
            await asyncio.sleep(0.2)
            running.stop.set()
            assert problem(await waiting) == (503, "about:blank")
            assert not running.serving.done()
        assert (await pushing).status_code == 204
        await running.serving
        with pytest.raises(httpx.TransportError):
            await running.client.get("/health")
    assert [parcel.ticket for parcel in results.parcels] == ["t1"]


async def test_an_upload_that_stalls_does_not_hold_its_end() -> None:
    async with service(Recorder()) as running:
        await running.ready()
        host, port = running.url.removeprefix("http://").split(":")
        reader, writer = await asyncio.open_connection(host, int(port))
        writer.write(b"POST /v1/sketch HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nabc")
        await writer.drain()
        await running.client.get("/health")  # behind what has come of the stalled one
        running.stop.set()
        async with asyncio.timeout(30):  # half of what it would be given to end
            await running.serving
            assert (await reader.readline()).split()[1] == b"503"
        writer.close()
