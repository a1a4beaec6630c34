import asyncio
import base64
import contextlib
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from bus.errors import SetupError
from tests.bus.rabbit.foreign import eventually
from tests.emulators import running
from tests.needed import lacking
from ui.stack import emulator as module
from ui.stack.children import ServerChild
from ui.stack.emulator import Program, PubSubEmulator, find, jar_of
from ui.stack.processes import listens
from ui.stack.supervisor import Supervisor


def sdk(folder: Path, *jars: str) -> Path:
    """A Google Cloud SDK in `folder`; returns a `gcloud` on the PATH that leads there, as packages install it."""
    (folder / "sdk" / "bin").mkdir(parents=True)
    (folder / "sdk" / "bin" / "gcloud").touch(mode=0o755)
    lib = folder / "sdk" / "platform" / "pubsub-emulator" / "lib"
    lib.mkdir(parents=True)
    for jar in jars:
        (lib / jar).touch()
    (folder / "gcloud").symlink_to(folder / "sdk" / "bin" / "gcloud")
    return folder / "gcloud"


def test_the_jar_is_found_where_gcloud_leads(tmp_path: Path) -> None:
    gcloud = sdk(tmp_path, "cloud-pubsub-emulator-0.8.19-all.jar", "cloud-pubsub-emulator-0.8.20-all.jar")

    found = jar_of(str(gcloud))

    assert found is not None
    assert found.name == "cloud-pubsub-emulator-0.8.20-all.jar"


def test_no_sdk_or_an_sdk_without_the_emulator_has_no_jar(tmp_path: Path) -> None:
    assert jar_of(None) is None
    assert jar_of(str(sdk(tmp_path))) is None


def test_what_is_missing_is_said_with_its_remedy(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk(tmp_path, "cloud-pubsub-emulator-1-all.jar")
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SetupError, match=r"lacks Java\. Run `apt-get install default-jre-headless`"):
        find()


def test_nothing_at_all_is_said_in_one_sentence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))

    with pytest.raises(SetupError, match=r"lacks Java and the emulator's jar .*`gcloud components install"):
        PubSubEmulator(tmp_path).start()


def test_it_serves_on_loopback_only() -> None:
    command = Program("/usr/bin/java", Path("/sdk/emulator.jar")).command(20_001)

    assert command[0] == "/usr/bin/java"
    assert command[-4:] == ["-jar", "/sdk/emulator.jar", "--host=127.0.0.1", "--port=20001"]


def test_one_that_was_never_started_has_no_address_and_may_be_stopped(tmp_path: Path) -> None:
    emulator = PubSubEmulator(tmp_path)

    emulator.stop()

    assert not emulator.running
    with pytest.raises(SetupError, match="start"):
        _ = emulator.host
    with pytest.raises(SetupError, match="start"):
        _ = emulator.process


def test_one_that_ends_at_once_is_told_with_what_it_said(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    sdk(tmp_path, "cloud-pubsub-emulator-1-all.jar")
    (tmp_path / "java").write_text("#!/bin/sh\necho no main manifest attribute\nexit 3\n")
    (tmp_path / "java").chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")

    with pytest.raises(SetupError, match=r"ended with status 3(.|\n)*no main manifest attribute"):
        PubSubEmulator(tmp_path / "emulator").start()


@pytest.fixture
def emulator(tmp_path: Path) -> Iterator[PubSubEmulator]:
    """An emulator of the test's own, to stop and start."""
    with running(tmp_path / "emulator") as emulator:
        yield emulator


def topics(emulator: PubSubEmulator) -> str:
    return httpx.get(f"http://{emulator.host}/v1/projects/p/topics").raise_for_status().text


def put_topic(emulator: PubSubEmulator, name: str) -> None:
    httpx.put(f"http://{emulator.host}/v1/projects/p/topics/{name}", json={}).raise_for_status()


def test_a_restart_keeps_the_port_and_nothing_else(emulator: PubSubEmulator) -> None:
    put_topic(emulator, "here")
    host = emulator.host
    assert "projects/p/topics/here" in topics(emulator)

    emulator.restart()

    assert emulator.host == host
    assert "here" not in topics(emulator)

    emulator.stop()
    assert not emulator.running
    assert not listens(emulator.port)


def put_box(emulator: PubSubEmulator) -> None:
    put_topic(emulator, "letters")
    box = {"topic": "projects/p/topics/letters"}
    httpx.put(f"http://{emulator.host}/v1/projects/p/subscriptions/box", json=box).raise_for_status()


def fill(emulator: PubSubEmulator) -> None:
    """Put letters into the box, which nobody empties, until it gives way."""
    data = {"messages": [{"data": base64.b64encode(bytes(4_000_000)).decode()}]}
    with contextlib.suppress(httpx.HTTPError):
        for _ in range(100):
            url = f"http://{emulator.host}/v1/projects/p/topics/letters:publish"
            httpx.post(url, json=data, timeout=30).raise_for_status()


async def test_one_without_memory_ends_at_once_and_the_supervisor_starts_it_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    try:
        find()
    except SetupError as error:
        lacking(f"no Pub/Sub emulator. {error}")
    monkeypatch.setattr(module, "_JAVA", ("-Xmx48m", *module._JAVA[1:]))
    emulator, said = PubSubEmulator(tmp_path / "emulator"), list[str]()

    def say(_name: str, line: str) -> None:
        said.append(line)

    child, supervisor = ServerChild("emulator", emulator, say), Supervisor(say)
    supervisor.keep(child)
    try:
        await eventually(lambda: said == ["answers"])
        await asyncio.to_thread(put_box, emulator)

        await asyncio.to_thread(fill, emulator)

        await eventually(lambda: said.count("answers") == 2)
        assert said[1].startswith("ended with status 3; starting it again")
        assert "letters" not in await asyncio.to_thread(topics, emulator)
    finally:
        await supervisor.stop([child])
