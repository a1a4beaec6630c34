"""What any cloud must keep (docs/clouds.md), kept by each."""

from collections.abc import AsyncIterator

import pytest

from tests.bridge.cloud_suite import CloudSuite, Stand
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("httpx", "bridge")
from tests.bridge.http_stand import HttpStand  # noqa: E402 (what it needs may be missing)


class TestAPoolOfServices(CloudSuite):
    @pytest.fixture
    async def stand(self) -> AsyncIterator[HttpStand]:
        stand = HttpStand()
        await stand.service.start()
        yield stand
        await stand.service.stop()


class TestGooglePubSub(CloudSuite):
    @pytest.fixture
    async def stand(self, pubsub_emulator: PubSubEmulator) -> AsyncIterator[Stand]:
        need_package("google.cloud.pubsub_v1", "bridge")
        from tests.bridge.pubsub_stand import PubSubStand

        stand = PubSubStand(pubsub_emulator.host)
        await stand.start()
        yield stand
        await stand.stop()
