"""Pictures and results too large for a message: a router and a VM as processes, and a store that speaks as Google's."""

import io
import os
import subprocess
import sys
import uuid
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from bus.blobs import Blobs
from bus.errors import SetupError
from bus.settings import MIB
from bus.topology import JOBS
from producers.client import AsyncClient
from tests.bus.rabbit.foreign import Foreign
from tests.conftest import Vhosts
from tests.gcs import FakeGcs
from tests.journey.pictures import photograph
from tests.journey.processes import Processes

pytestmark = [pytest.mark.journey, pytest.mark.broker]

SIZE = (2560, 2450)
EXAMPLE = Path(__file__).parents[2] / "examples" / "submit_claim_pika.py"
COLOURED = {"style": "coloured", "format": "png"}


def large() -> bytes:
    """A picture of 18 MiB, of which nothing can be compressed: neither it nor what is drawn of it."""
    noise = np.random.default_rng(0).integers(0, 256, (SIZE[1], SIZE[0], 3), np.uint8)
    out = io.BytesIO()
    Image.fromarray(noise).save(out, "BMP")
    return out.getvalue()


@pytest.fixture(scope="module")
def stored(vhosts: Vhosts, fake_gcs: FakeGcs, tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, str]]:
    """The URLs of the broker and of the blob store of a running overspill, which a module's tests share."""
    name, store = f"claims-{uuid.uuid4().hex[:12]}", f"gs://{fake_gcs.bucket()}/overspill"
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("STORAGE_EMULATOR_HOST", fake_gcs.url)
        processes = Processes(vhosts.add_vhost(name), tmp_path_factory.mktemp("claims"), OVERSPILL_BLOBS=store)
        processes.start_router()
        processes.start_vm("vm1")
        processes.wait_ready("vm1")
        yield processes.url, store
        processes.stop()
    vhosts.delete_vhost(name)


async def test_a_large_picture_goes_there_and_back_as_any_other(stored: tuple[str, str]) -> None:
    (url, store), picture = stored, large()
    assert len(picture) > 16 * MIB
    async with AsyncClient(url, blobs=store) as client, AsyncClient(url) as without:
        answer = await (await client.submit(picture, "sketch", COLOURED)).result(60)
        assert (len(answer.body) > 16 * MIB, answer.content_type, answer.vm) == (True, "image/png", "vm1")
        assert Image.open(io.BytesIO(answer.body)).size == SIZE
        handle = await without.submit(photograph(300, 200), "sketch")  # small both ways: no store is needed
        assert (await handle.result(60)).claim is None
        with pytest.raises(SetupError, match="OVERSPILL_BLOBS"):
            await without._store.whole(answer)


async def test_a_foreign_client_sends_a_claim_and_gets_one(stored: tuple[str, str]) -> None:
    store, small = Blobs(stored[1]), photograph(300, 200)
    with Foreign(stored[0]) as foreign:
        replies = foreign.queue()
        for picture, params in ((small, "{}"), (large(), '{"style": "coloured", "format": "png"}')):
            claim = await store.put("pictures", picture)
            foreign.publish(JOBS, "sketch", b"", headers={"claim": claim, "params": params}, reply_to=replies)
        one, two = sorted([await foreign.get(replies) for _ in range(2)], key=lambda got: "claim" in got.headers)
        assert Image.open(io.BytesIO(one.body)).size == (300, 200)
        assert (two.body, two.properties.content_type) == (b"", "image/png")
        assert Image.open(io.BytesIO(await store.get(two.headers["claim"]))).size == SIZE


def test_the_example_in_another_clients_words_works_as_it_stands(stored: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "large.bmp").write_bytes(large())
    command = [sys.executable, str(EXAMPLE), str(tmp_path / "large.bmp"), "sketch", str(tmp_path / "out.jpg")]
    environment = os.environ | {"AMQP_URL": stored[0], "OVERSPILL_BLOBS": stored[1]}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)
    assert (done.returncode, "ran on vm1, came in the message" in done.stdout) == (0, True), done.stderr
    with Image.open(tmp_path / "out.jpg") as drawn:
        assert drawn.size == SIZE


def test_the_command_uses_the_store_of_its_settings(stored: tuple[str, str], tmp_path: Path) -> None:
    (tmp_path / "large.bmp").write_bytes(large())
    environment = {name: value for name, value in os.environ.items() if not name.startswith("OVERSPILL_")}
    environment |= {"AMQP_URL": stored[0], "OVERSPILL_STATE_DIR": str(tmp_path)}
    command = [sys.executable, "-m", "ui.cli", "submit", str(tmp_path / "large.bmp"), "--out", str(tmp_path)]

    def submit(**settings: str) -> "subprocess.CompletedProcess[str]":
        given = environment | settings
        return subprocess.run(command, env=given, capture_output=True, text=True, timeout=100, check=False)

    refused = submit()
    assert (refused.returncode, "OVERSPILL_BLOBS" in refused.stderr) == (1, True)
    done = submit(OVERSPILL_BLOBS=stored[1])
    assert done.returncode == 0, done.stderr
    with Image.open(tmp_path / "large-sketch.jpg") as drawn:
        assert drawn.size == SIZE
