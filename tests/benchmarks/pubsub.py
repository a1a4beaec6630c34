"""Jobs a second through Pub/Sub's emulator and back at 200 KiB: the client library bare, and through PubSubCloud.

python -m tests.benchmarks.pubsub
"""

import asyncio
import logging
import os
import tempfile
import time
from pathlib import Path

import grpc
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from bridge.envelope import Parcel
from bridge.pubsub import resources
from bridge.pubsub.clients import Clients
from bridge.pubsub.pubsub_cloud import PubSubCloud
from bridge.pubsub.setup import create
from bus.settings import Settings
from ui.stack.emulator import PubSubEmulator

JOBS, WINDOW, SIZE = 600, 64, 200 * 1024
_LIFTED = [("grpc.max_receive_message_length", -1), ("grpc.max_send_message_length", -1)]


def on_loop_topic(host: str, project: str) -> Settings:
    """Settings for a project in which the subscription of the answers is one to the topic of the sketches."""
    settings = Settings(pubsub_emulator_host=host, cloud_project=project, cloud_services=())
    clients = Clients(settings)
    name, topic = resources.results_subscription(settings), resources.jobs_topic(settings, "sketch")
    clients.publisher.create_topic(name=topic)
    create(clients, resources.Subscription(name, topic, ack_deadline_s=10, kept_s=3600))
    name, topic = resources.dead_subscription(settings), resources.dead_topic(settings)
    clients.publisher.create_topic(name=topic)
    create(clients, resources.Subscription(name, topic, ack_deadline_s=10, kept_s=3600))
    clients.close()
    return settings


async def bare(settings: Settings) -> float:
    """Jobs a second with nothing but the library: its publisher, its streaming pull, an ack for each."""
    assert settings.pubsub_emulator_host
    channel = grpc.insecure_channel(settings.pubsub_emulator_host, options=_LIFTED)
    publisher = pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=channel))
    subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=channel))
    loop, came, room = asyncio.get_running_loop(), asyncio.Queue[None](), asyncio.Semaphore(WINDOW)

    def take(message: pubsub_v1.subscriber.message.Message) -> None:
        message.ack()
        loop.call_soon_threadsafe(came.put_nowait, None)

    pulling = subscriber.subscribe(resources.results_subscription(settings), take)
    topic, body = resources.jobs_topic(settings, "sketch"), os.urandom(SIZE)

    async def send(number: int) -> None:
        async with room:
            await asyncio.wrap_future(publisher.publish(topic, body, ticket=str(number), operation="sketch"))

    began = time.perf_counter()
    sending = asyncio.gather(*(send(number) for number in range(JOBS)))
    for _ in range(JOBS):
        await came.get()
    rate = JOBS / (time.perf_counter() - began)
    await sending
    pulling.cancel()
    pulling.result(10)
    publisher.stop()
    channel.close()
    return rate


async def through_ours(settings: Settings) -> float:
    """Jobs a second through PubSubCloud: `send`, `answers`, `done` for each."""
    cloud = PubSubCloud(settings)
    await cloud.open()
    answers, room, body = aiter(cloud.answers()), asyncio.Semaphore(WINDOW), os.urandom(SIZE)

    async def send(number: int) -> None:
        async with room:
            await cloud.send(Parcel(body, {"kind": "job", "ticket": str(number), "operation": "sketch"}))

    began = time.perf_counter()
    sending = asyncio.gather(*(send(number) for number in range(JOBS)))
    for _ in range(JOBS):
        (await anext(answers)).done()
    rate = JOBS / (time.perf_counter() - began)
    await sending
    await cloud.close()
    return rate


def main() -> None:
    """Alternate, so that a noisy machine is unfair to both."""
    logging.disable(logging.WARNING)  # the subscription of the answers is not as it should be, on purpose
    with tempfile.TemporaryDirectory() as folder:
        emulator = PubSubEmulator(Path(folder))
        emulator.start()
        for turn in range(3):
            for name, way in (("bare", bare), ("ours", through_ours)):
                cpu = time.process_time()
                rate = asyncio.run(way(on_loop_topic(emulator.host, f"{name}-{turn}")))
                cost = (time.process_time() - cpu) * 1000 / JOBS
                print(f"{name}: {rate:6.1f} jobs/s, {cost:.2f} ms of our CPU a job")
        emulator.stop()


if __name__ == "__main__":
    main()
