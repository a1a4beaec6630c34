"""What services say on /ready, over real HTTP, and what of it counts."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

from bus.settings import Settings
from bus.topology import OPERATIONS
from tests.bridge.tiny_http import HANG_UP, Request, TinyHttp, response
from tests.bus.rabbit.foreign import eventually
from tests.needed import need_package

need_package("httpx", "bridge")
from bridge.pubsub import served as module  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.served import Served  # noqa: E402


class Service:
    """A service whose next answers a test sets."""

    def __init__(self) -> None:
        self.says = response(503)
        self.asked = 0
        self.http = TinyHttp(self.answer)

    def serves(self, *operations: str) -> None:
        self.says = response(200, json.dumps({"operations": operations, "slots": 1}).encode())

    async def answer(self, request: Request) -> bytes:
        assert (request.method, request.path) == ("GET", "/ready")
        self.asked += 1
        return self.says


@pytest.fixture
async def service() -> AsyncIterator[Service]:
    service = Service()
    await service.http.start()
    yield service
    await service.http.stop()


@pytest.fixture(autouse=True)
def _fast(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LOOK_S", 0.05)
    monkeypatch.setattr(module, "LOOK_SOON_S", 0.01)


@asynccontextmanager
async def asking(services: str) -> AsyncIterator[tuple[Served, list[tuple[str, ...]]]]:
    served = Served(Settings.model_validate({"cloud_services": services}))
    changes: list[tuple[str, ...]] = []
    served.start(lambda: changes.append(served.operations))
    try:
        yield served, changes
    finally:
        await served.stop()


async def test_what_nobody_serves_is_left_out_as_soon_as_it_is_told(service: Service) -> None:
    async with asking(service.http.url) as (served, changes):
        await eventually(lambda: service.asked)
        assert served.operations == OPERATIONS  # it is still loading
        service.serves("sketch", "remove-background")
        await eventually(lambda: changes == [("sketch", "remove-background")])
        service.serves(*OPERATIONS)
        await eventually(lambda: len(changes) == 2)
        assert (served.operations, changes[1]) == (OPERATIONS, OPERATIONS)


@pytest.mark.parametrize(
    "odd",
    [HANG_UP, response(503), response(404), response(200, b"{}"), response(200, bytes(100_000))],
    ids=["hangs up", "goes away", "is no service", "tells nothing", "tells too much"],
)
async def test_who_can_not_be_understood_any_more_may_serve_everything(service: Service, odd: bytes) -> None:
    service.serves("sketch")
    async with asking(service.http.url) as (served, changes):
        await eventually(lambda: served.operations == ("sketch",))
        service.says = odd
        await eventually(lambda: served.operations == OPERATIONS)
        assert changes == [("sketch",), OPERATIONS]


async def test_each_operation_is_asked_of_the_service_that_it_is_pushed_to(service: Service) -> None:
    service.serves("sketch")
    nowhere = "http://127.0.0.1:1"
    async with asking(f"sketch={nowhere},caption={service.http.url},sketch={service.http.url}") as (served, changes):
        assert served.operations == ("sketch", "caption")
        await eventually(lambda: changes == [("sketch",)])


async def test_an_address_that_is_none_and_none_at_all_are_unknown() -> None:
    async with asking("sketch=http://ä..example"), asking("") as (served, changes):
        assert (served.operations, changes) == (OPERATIONS, [])
