import asyncio
from pathlib import Path

from bus.errors import SetupError
from bus.settings import Settings
from tests.needed import lacking
from ui.stack import emulator, state
from ui.stack.cloud import Parts
from ui.stack.servers import Servers

GIVEN = Settings(amqp_url="amqp://b", pubsub_emulator_host=None)


def quiet(name: str, text: str) -> None:
    pass


def test_what_the_settings_name_is_not_started_and_blobs_lie_in_the_folder(tmp_path: Path) -> None:
    servers = Servers(tmp_path, quiet)

    chosen = servers.spawn(GIVEN, Parts(), 4000)

    assert state.addresses(chosen) == {"AMQP_URL": "amqp://b", "OVERSPILL_BLOBS": f"file://{tmp_path}/blobs"}
    assert (servers.brokers, servers.emulators) == ([], [])


def test_a_blob_store_that_is_named_stays(tmp_path: Path) -> None:
    chosen = Servers(tmp_path, quiet).spawn(GIVEN.model_copy(update={"blobs": "gs://b"}), Parts(), 4000)

    assert chosen.blobs == "gs://b"


async def test_an_emulator_and_a_service_are_where_the_settings_say(tmp_path: Path) -> None:
    try:
        emulator.find()
    except SetupError as error:
        lacking(str(error))
    servers = Servers(tmp_path, quiet)

    chosen = servers.spawn(GIVEN, Parts(emulator=True, service=True, bridge=True), 4000)
    (child,) = servers.emulators
    await child.wait_ready()
    await child.stop(10, asyncio.Event())

    assert chosen.cloud_services == (("", "http://127.0.0.1:4000"),)
    assert chosen.cloud_project == "overspill"
    assert (chosen.pubsub_emulator_host or "").startswith("127.0.0.1:")
