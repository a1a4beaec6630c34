"""What the VMs can't hold is answered by the cloud, on the very same reply queue; what must stay, stays."""

import asyncio
import io
import json
import os
import subprocess
import sys
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import pytest
from PIL import Image

from bus.problems import PROBLEM_JSON
from bus.settings import MIB
from bus.topology import JOBS
from consumers.models import Models
from consumers.operations.operation import Limits, Runner
from consumers.operations.sketch import OPERATION
from producers.client import AsyncClient
from tests.bus.rabbit.foreign import Foreign, Got
from tests.conftest import Vhosts
from tests.gcs import FakeGcs
from tests.journey.pictures import photograph
from tests.journey.processes import Processes
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
need_package("uvicorn", "service")
need_package("gcsfs", "gcs")

from tests.journey.clouds import Site  # noqa: E402 (it needs the first of them)

pytestmark = [pytest.mark.journey, pytest.mark.broker]

MIXED = 60
PINNED = 200


class Stack(NamedTuple):
    """Where a running overspill is, its VMs loaded and its cloud small."""

    url: str
    site: Site
    blobs: str


@pytest.fixture(scope="module")
def stack(
    vhosts: Vhosts, pubsub_emulator: PubSubEmulator, fake_gcs: FakeGcs, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Stack]:
    """Each VM counts as loaded, so that a job goes to the cloud while that has room, and to a VM otherwise."""
    name, blobs = f"overflow-{uuid.uuid4().hex[:12]}", f"gs://{fake_gcs.bucket()}/overspill"
    with pytest.MonkeyPatch.context() as environment, Site(pubsub_emulator) as site:
        environment.setenv("STORAGE_EMULATOR_HOST", fake_gcs.url)
        small = {"OVERSPILL_CPU_THRESHOLD": "0", "OVERSPILL_CLOUD_IN_FLIGHT": "8", "OVERSPILL_BLOBS": blobs}
        folder = tmp_path_factory.mktemp("overflow")
        processes = Processes(vhosts.add_vhost(name), folder, **site.settings, **small)
        try:
            processes.start_router()
            processes.start_vm("vm1")
            processes.start_vm("vm2")
            processes.start_service()
            processes.start_bridge()
            processes.wait_ready("vm1", "vm2", cloud=True)
            yield Stack(processes.url, site, blobs)
        finally:
            processes.stop()
    vhosts.delete_vhost(name)


@dataclass(frozen=True, slots=True)
class Asked:
    """A job as any AMQP client may send it."""

    number: int
    body: bytes
    params: dict[str, Any] = field(default_factory=dict)
    slug: str | None = None
    """The problem it must be answered with."""

    @property
    def properties(self) -> dict[str, Any]:
        """Every sixth has a correlation id that is no text, every fifth no id at all."""
        headers = {"user": f"user{self.number % 5}", "params": json.dumps(self.params)}
        told: dict[str, Any] = {"headers": headers, "correlation_id": self.correlation}
        return told | ({"message_id": f"mixed{self.number}"} if self.number % 5 else {})

    @property
    def correlation(self) -> str | bytes:
        return b"\xff\xfe" + bytes([self.number]) if self.number % 6 == 0 else f"c{self.number}"


def mixed(number: int) -> Asked:
    match number % 10:
        case 0:
            return Asked(number, b"Dear Sir, please find my photograph", slug="not-an-image")
        case 1:
            return Asked(number, photograph(90, 60, number), {"style": "oil"}, slug="bad-field")
        case 2 | 3:
            return Asked(number, photograph(500 + number, 400, number), {"format": "png"})
        case 4:
            return Asked(number, photograph(500 + number, 400, number), {"style": "coloured", "strength": 0.9})
        case _:
            return Asked(number, photograph(800 + number, 600, number))


async def test_vms_and_cloud_answer_on_one_queue(stack: Stack) -> None:
    asked = [mixed(number) for number in range(MIXED)]
    with Foreign(stack.url) as foreign:
        replies = foreign.queue()
        for job in asked:
            foreign.publish(JOBS, "sketch", job.body, reply_to=replies, **job.properties)
        answers = {got.properties.correlation_id: got for got in [await foreign.get(replies) for _ in asked]}
        assert answers.keys() == {job.correlation for job in asked}
        assert foreign.taken(replies) is None
    runner = OPERATION.load(Models(Path()))
    for job in asked:
        is_right(answers[job.correlation], job, runner)
    drawn = [(job, answers[job.correlation].headers) for job in asked if job.slug is None]
    routes = Counter(headers["route"] for _, headers in drawn)
    assert routes.keys() == {"vm", "cloud"}
    assert {headers["route"] == "cloud" for _, headers in drawn if headers["vm"].startswith("cloud-")} == {True}
    assert all((headers["route"] == "cloud") == (float(headers.get("cost", 0)) > 0) for _, headers in drawn)
    overflowed = next(job for job, headers in drawn if headers["route"] == "cloud" and "message_id" in job.properties)
    told = why(stack.url, overflowed.properties["message_id"])
    assert "every VM with room is over the thresholds" in told
    assert "in the cloud" in told.splitlines()[-1]


def is_right(got: Got, job: Asked, runner: Runner) -> None:
    """The picture is, to the byte, what the operation makes of it in this process; or it is the problem expected."""
    if job.slug is not None:
        problem = json.loads(got.body)
        assert (got.properties.content_type, problem["type"].rpartition(":")[2]) == (PROBLEM_JSON, job.slug)
        return
    output = runner.run(job.body, OPERATION.parse(job.params), Limits())
    assert (got.properties.content_type, got.body) == (output.content_type, output.body)


def why(url: str, job: str) -> str:
    """What `overspill why` tells."""
    command = [sys.executable, "-m", "ui.cli", "why", job]
    environment = os.environ | {"AMQP_URL": url}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout


async def test_nothing_of_a_job_pinned_local_is_ever_published(stack: Stack) -> None:
    stack.site.tap()
    pictures = [photograph(160, 120, seed=1000 + n) for n in range(PINNED)]
    assert len(set(pictures)) == PINNED
    async with AsyncClient(stack.url, user="anna") as client:
        handles = [
            await client.submit(picture, "sketch", site="any" if n % 2 else "local")
            for n, picture in enumerate(pictures)
        ]
        answers = await asyncio.gather(*(handle.result(60) for handle in handles))
    assert {answer.route for answer in answers[::2]} == {"vm"}
    published = await asyncio.to_thread(stack.site.tapped)
    everything = b"|".join(message.data + repr(dict(message.attributes)).encode() for message in published)
    cloud = [n for n, answer in enumerate(answers) if answer.route == "cloud"]
    assert cloud
    assert all(pictures[n] in everything and answers[n].body in everything for n in cloud)
    for n in range(0, PINNED, 2):
        assert pictures[n] not in everything
        assert answers[n].body not in everything
        assert handles[n].id.encode() not in everything


async def test_what_is_too_large_for_a_message_goes_through_the_store_and_leaves_no_picture_there(
    stack: Stack, fake_gcs: FakeGcs
) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (2400, 2900, 3), np.uint8)
    jpeg, png = saved(noise, "JPEG", quality=94, subsampling=0), saved(noise[:2000, :2500], "PNG")
    assert (14 * MIB < len(jpeg) < 16 * MIB, 14 * MIB < len(png) < 16 * MIB) == (True, True)
    coloured = {"style": "coloured", "format": "png"}
    async with AsyncClient(stack.url, blobs=stack.blobs) as client:
        handles = [await client.submit(jpeg, "sketch", coloured), await client.submit(png, "sketch")]
        large, small = [await handle.result(60) for handle in handles]
    assert {answer.route for answer in (large, small)} == {"cloud"}
    assert (len(large.body) > 20_000_000, large.content_type) == (True, "image/png")
    runner = OPERATION.load(Models(Path()))
    for answer, picture, params in ((large, jpeg, coloured), (small, png, {})):
        assert answer.body == runner.run(picture, OPERATION.parse(params), Limits()).body
    assert large.claim is not None
    assert small.claim is None
    # What came inline lies there no more, nor does any picture; a claim is its caller's to fetch.
    assert stored(fake_gcs, stack.blobs) == [f"overspill/{large.claim}"]


def saved(pixels: "np.ndarray[Any, np.dtype[np.uint8]]", kind: str, **options: int) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind, **options)
    return out.getvalue()


def stored(server: FakeGcs, blobs: str) -> list[str]:
    """The names of all that lies in the store's bucket."""
    bucket = blobs.split("/")[2]
    with urllib.request.urlopen(f"{server.url}/storage/v1/b/{bucket}/o", timeout=30) as response:  # noqa: S310 (our own)
        return [item["name"] for item in json.load(response).get("items", [])]
