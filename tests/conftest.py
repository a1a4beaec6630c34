"""A real broker for the tests that need one: a private node for the run, a virtual host of its own for each test.

`OVERSPILL_TEST_AMQP_URL` names another broker to use instead, such as a RabbitMQ 4 container; it must have the
management plugin, at `OVERSPILL_TEST_MANAGEMENT_URL` (by default port 15672 of the same host).
"""

import base64
import os
import tempfile
import urllib.request
import uuid
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Protocol
from urllib.parse import quote, unquote, urlsplit

import pytest
from hypothesis import settings

from bus.errors import SetupError
from tests.emulators import running
from tests.gcs import FakeGcs
from tests.needed import lacking, need_package
from tests.pure import tests_pure_code
from ui.stack.emulator import PubSubEmulator
from ui.stack.rabbitmq import PrivateBroker

TESTS = Path(__file__).parent

SECONDS = {"browser": 10, "journey": 10, "broker": 1}
"""What a test of each kind takes, about."""

# Half of hypothesis's own hundred: there are many properties, and each run draws anew.
settings.register_profile("overspill", max_examples=50, deadline=None)
settings.load_profile("overspill")


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Mark the tests of pure modules, so that they can be run alone, in seconds."""
    for item in items:
        if item.path.is_relative_to(TESTS) and tests_pure_code(item.path.relative_to(TESTS)):
            item.add_marker(pytest.mark.pure)
    if hasattr(config, "workerinput"):
        _longest_first(items)


def _longest_first(items: list[pytest.Item]) -> None:
    """Several workers end together when what takes long does not come last; a file's tests stay together."""
    seconds: Counter[Path] = Counter()
    for item in items:
        seconds[item.path] += next((s for mark, s in SECONDS.items() if item.get_closest_marker(mark)), 0)
    items.sort(key=lambda item: -seconds[item.path])


class Vhosts(Protocol):
    """Where a test gets its virtual host."""

    def add_vhost(self, name: str) -> str: ...

    def delete_vhost(self, name: str) -> None: ...


class ManagedBroker:
    """The virtual hosts of a broker that runs elsewhere, through its management plugin."""

    def __init__(self, amqp_url: str, management_url: str | None) -> None:
        self._amqp = urlsplit(amqp_url)
        self._management = management_url or f"http://{self._amqp.hostname}:15672"

    def add_vhost(self, name: str) -> str:
        self._call("PUT", f"vhosts/{name}")
        everything = b'{"configure": ".*", "write": ".*", "read": ".*"}'
        self._call("PUT", f"permissions/{name}/{quote(self._user, safe='')}", everything)
        return self._amqp._replace(path=f"/{name}").geturl()

    def delete_vhost(self, name: str) -> None:
        self._call("DELETE", f"vhosts/{name}")

    @property
    def _user(self) -> str:
        return unquote(self._amqp.username or "guest")

    def _call(self, method: str, path: str, body: bytes = b"") -> None:
        secret = base64.b64encode(f"{self._user}:{unquote(self._amqp.password or 'guest')}".encode()).decode()
        headers = {"Authorization": f"Basic {secret}", "Content-Type": "application/json"}
        address = f"{self._management}/api/{path}"
        request = urllib.request.Request(address, body, headers, method=method)  # noqa: S310 (the tester's own address)
        with urllib.request.urlopen(request, timeout=30):  # noqa: S310
            pass


@pytest.fixture(scope="session")
def private_broker() -> Iterator[PrivateBroker]:
    """One private node for the whole run, its data gone afterwards: pytest would keep those of the last runs."""
    with tempfile.TemporaryDirectory(prefix="overspill-test-", ignore_cleanup_errors=True) as folder:
        yield from _one_broker(Path(folder))


def _one_broker(folder: Path) -> Iterator[PrivateBroker]:
    broker = PrivateBroker(folder)
    try:
        broker.start()
    except SetupError as error:
        broker.stop()
        lacking(f"no broker. {error}")
    yield broker
    broker.stop()


@pytest.fixture(scope="session")
def vhosts(request: pytest.FixtureRequest) -> Vhosts:
    """The broker that virtual hosts are made on: the one named by the environment, else the private one."""
    url = os.environ.get("OVERSPILL_TEST_AMQP_URL")
    if url:
        return ManagedBroker(url, os.environ.get("OVERSPILL_TEST_MANAGEMENT_URL"))
    broker: PrivateBroker = request.getfixturevalue("private_broker")
    return broker


@pytest.fixture
def amqp_url(vhosts: Vhosts) -> Iterator[str]:
    """The URL of a fresh virtual host, deleted afterwards with all it holds."""
    name = f"test-{uuid.uuid4().hex[:12]}"
    yield vhosts.add_vhost(name)
    vhosts.delete_vhost(name)


@pytest.fixture(scope="session")
def pubsub_emulator() -> Iterator[PubSubEmulator]:
    """One Pub/Sub emulator for the whole run. A test takes a project name of its own, and never restarts this one."""
    with (
        tempfile.TemporaryDirectory(prefix="overspill-test-", ignore_cleanup_errors=True) as folder,
        running(Path(folder)) as emulator,
    ):
        yield emulator


@pytest.fixture(scope="session")
def fake_gcs() -> Iterator[FakeGcs]:
    """One server that speaks as Google Cloud Storage does, for the whole run. A test may not stop this one."""
    with FakeGcs() as server:
        yield server


@pytest.fixture
def gcs_url(fake_gcs: FakeGcs, monkeypatch: pytest.MonkeyPatch) -> str:
    """`gs://` of a fresh bucket, and the environment in which that leads to the server and not to Google."""
    need_package("gcsfs", "gcs")
    monkeypatch.setenv("STORAGE_EMULATOR_HOST", fake_gcs.url)
    monkeypatch.delenv("GOOGLE_APPLICATION_CREDENTIALS", raising=False)
    return f"gs://{fake_gcs.bucket()}/overspill"
