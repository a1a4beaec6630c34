"""The far side of Google Pub/Sub under a test's command: a service that the emulator pushes to."""

import asyncio
import uuid

from bridge.cloud import Cloud
from bridge.envelope import Parcel, answer_parcel, read_job, read_push, returned_parcel
from bridge.pubsub.clients import Clients
from bridge.pubsub.pubsub_cloud import PubSubCloud
from bridge.pubsub.resources import results_topic, wanted
from bridge.pubsub.setup import apply
from bus.answers import Answer
from bus.messages import Job
from bus.settings import Settings
from tests.bridge.cloud_suite import BREAKS, NOT_SERVED, Reply, Stand
from tests.bridge.tiny_http import Request, TinyHttp, response

BEGAN_MS = 1_900_000_001_000


class PubSubStand(Stand):
    """Topics and subscriptions of a project of its own, and the one service behind them."""

    def __init__(self, emulator_host: str) -> None:
        super().__init__()
        self.service = TinyHttp(self.handle)
        self._host = emulator_host

    async def start(self) -> None:
        await self.service.start()
        self.settings = Settings(
            pubsub_emulator_host=self._host,
            cloud_project=f"test-{uuid.uuid4().hex[:12]}",
            cloud_services=(("sketch", self.service.url),),
        )
        self._clients = await asyncio.to_thread(Clients, self.settings)
        await asyncio.to_thread(apply, self._clients, wanted(self.settings))

    async def stop(self) -> None:
        """Take the push subscriptions away: the emulator would go on pushing what a test left."""
        subscriptions = wanted(self.settings).subscriptions
        for name in (subscription.name for subscription in subscriptions if subscription.push):
            await asyncio.to_thread(self._clients.subscriber.delete_subscription, subscription=name)
        await self.service.stop()
        await asyncio.to_thread(self._clients.close)

    def cloud(self) -> Cloud:
        return PubSubCloud(self.settings)

    async def handle(self, request: Request) -> bytes:
        parcel = read_push(request.body)
        job, link = read_job(parcel)
        reply = await self.reply(job, link)
        if reply == BREAKS:
            return response(500)
        await self._publish(answered(job, reply) if isinstance(reply, Reply) else returned_parcel(parcel, NOT_SERVED))
        return response(204)

    async def _publish(self, parcel: Parcel) -> None:
        topic = results_topic(self.settings)
        await asyncio.wrap_future(self._clients.publisher.publish(topic, parcel.body, **parcel.attributes))


def answered(job: Job, reply: Reply) -> Parcel:
    answer = Answer.to(
        job, content_type=reply.content_type, body=reply.body, vm=reply.vm, model=reply.model, ran_ms=reply.ran_ms
    )
    return answer_parcel(answer, began_ms=BEGAN_MS)
