"""The bridge before the Pub/Sub emulator, which pushes to a service for real."""

import asyncio

import pytest

from tests.bridge.yard import PICTURE, yard
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")

from tests.bridge.pubsub_stand import PubSubStand  # noqa: E402

pytestmark = pytest.mark.broker


async def test_what_one_bridge_has_sent_the_next_one_answers(amqp_url: str, pubsub_emulator: PubSubEmulator) -> None:
    stand = PubSubStand(pubsub_emulator.host)
    await stand.start()
    try:
        async with yard(amqp_url) as there:
            first = await there.start(stand.settings, cloud=lambda _settings: stand.cloud())
            stand.open.clear()
            for number in range(3):
                there.send(message_id=f"j{number}", headers={"placement": f"p{number}"})
            came = [await asyncio.wait_for(stand.seen.get(), 60) for _ in range(2)]  # it pushes two at a time
            assert {(job.operation, job.body, job.user) for job, _ in came} == {("sketch", PICTURE, "cloud")}
            await first.stop()
            there.running.remove(first)
            await there.start(stand.settings, name="b2", cloud=lambda _settings: stand.cloud())
            stand.open.set()
            replies = [await there.reply() for _ in range(3)]
            assert {reply.headers["job"] for reply in replies} == {"j0", "j1", "j2"}
            assert {(reply.body, reply.headers["vm"]) for reply in replies} == {(b"drawn \x00\xff", "service-00001")}
            await there.status("b2", in_flight=0, answered=3)
            await there.all_settled()
    finally:
        await stand.stop()
