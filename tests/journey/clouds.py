"""A cloud of a journey's own: a project on the Pub/Sub emulator, and where its service listens."""

import asyncio
import uuid
from collections.abc import Callable, Iterator
from typing import Self

import grpc
import psutil
from google.api_core.exceptions import DeadlineExceeded
from google.cloud import pubsub_v1
from google.protobuf.field_mask_pb2 import FieldMask
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport
from google.pubsub_v1.types import PubsubMessage, Subscription

from ui.stack.emulator import PubSubEmulator
from ui.stack.processes import LOOPBACK, free_port

_ENDLESS = [("grpc.max_receive_message_length", -1)]
REDELIVERED_WITHIN_S = 30


class Site:
    """One project with one service, which draws sketches."""

    def __init__(self, emulator: PubSubEmulator) -> None:
        self.emulator = emulator
        self.project = f"projects/test-{uuid.uuid4().hex[:12]}"
        self.port = free_port()
        """Of the service."""
        self._channel = grpc.insecure_channel(emulator.host, options=_ENDLESS)
        self._publisher = pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self._subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self._captures: list[str] = []
        self._copies = ""
        self._answers: dict[str, PubsubMessage] = {}

    @property
    def settings(self) -> dict[str, str]:
        """What all processes of the overspill are told, the service included."""
        return {
            "PUBSUB_EMULATOR_HOST": self.emulator.host,
            "OVERSPILL_CLOUD_PROJECT": self.project.rpartition("/")[2],
            "OVERSPILL_CLOUD_SERVICES": f"sketch=http://{LOOPBACK}:{self.port}",
            "OVERSPILL_CLOUD_PUSH_UNVERIFIED": "true",
            "OVERSPILL_OPERATIONS": "sketch",
            "OVERSPILL_SLOTS": "1",
            "PORT": str(self.port),
        }

    def topics(self) -> list[str]:
        return [topic.name for topic in self._publisher.list_topics(project=self.project)]

    @property
    def has_results(self) -> bool:
        """Whether there is a topic for answers by now."""
        return self._results in self.topics()

    def pushes(self) -> int:
        """How many pushes wait for the service's answer at this moment."""
        ours = psutil.Process(self.emulator.process.pid).net_connections("tcp")
        return sum(bool(each.raddr) and each.raddr.port == self.port and each.status == "ESTABLISHED" for each in ours)

    def push_again_after(self, seconds: int) -> None:
        """Shorten the time within which the service has to answer."""
        changed = Subscription(name=self._pushed, ack_deadline_seconds=seconds)
        mask = FieldMask(paths=["ack_deadline_seconds"])
        self._subscriber.update_subscription(subscription=changed, update_mask=mask)

    def tap(self) -> None:
        """Keep a copy of whatever is published on any topic from now on."""
        for topic in self.topics():
            name = f"{self.project}/subscriptions/tap-{topic.rpartition('/')[2]}"
            self._subscriber.create_subscription(name=name, topic=topic)
            self._captures.append(name)

    async def redeliver_until(self, look: Callable[[], bool]) -> None:
        """Deliver the answers given since `tap_results` again and again, until it is so.

        When a puller is killed, the emulator goes on handing its stream a part of everything, for as long as the
        subscription's name is in use, and keeps each of them there for the ten seconds of a lease. Google delivers
        those to others, and so does this.
        """
        async with asyncio.timeout(REDELIVERED_WITHIN_S):
            while not look():
                await asyncio.to_thread(self._redeliver)

    def tap_results(self) -> None:
        """Keep a copy of each answer from now on."""
        self._answers.clear()
        self._copies = f"{self.project}/subscriptions/copies-{uuid.uuid4().hex}"
        self._subscriber.create_subscription(name=self._copies, topic=self._results)

    def _redeliver(self) -> None:
        for message in self._some_of(self._copies, within_s=0.3):
            self._answers[message.attributes["ticket"]] = message
        sent = [self._publisher.publish(self._results, it.data, **it.attributes) for it in self._answers.values()]
        for each in sent:
            each.result(10)

    def tapped(self) -> list[PubsubMessage]:
        """Those copies."""
        return [message for name in self._captures for message in self._all_of(name)]

    def _all_of(self, subscription: str) -> Iterator[PubsubMessage]:
        while some := self._some_of(subscription, within_s=2):
            yield from some

    def _some_of(self, subscription: str, *, within_s: float) -> list[PubsubMessage]:
        try:
            got = self._subscriber.pull(subscription=subscription, max_messages=1000, retry=None, timeout=within_s)
        except DeadlineExceeded:
            return []
        ids = [each.ack_id for each in got.received_messages]
        if ids:
            self._subscriber.acknowledge(subscription=subscription, ack_ids=ids)
        return [each.message for each in got.received_messages]

    def close(self) -> None:
        """Take the push subscription away: the emulator would go on pushing what a test left."""
        if self.emulator.running:
            self._subscriber.delete_subscription(subscription=self._pushed)
        self._publisher.stop()
        self._channel.close()

    @property
    def _results(self) -> str:
        return f"{self.project}/topics/overspill-results"

    @property
    def _pushed(self) -> str:
        return f"{self.project}/subscriptions/overspill-jobs-sketch-push"

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exc: object) -> None:
        self.close()
