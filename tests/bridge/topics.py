"""Topics and subscriptions on the emulator, in a project of their own, with a test at both ends."""

import uuid

import grpc
from google.cloud import pubsub_v1
from google.pubsub_v1.services.publisher.transports import PublisherGrpcTransport
from google.pubsub_v1.services.subscriber.transports import SubscriberGrpcTransport

from bridge.envelope import Parcel
from bridge.pubsub.resources import jobs_topic, results_subscription, results_topic
from bus.settings import Settings
from tests.bridge.a_service import settings

_ENDLESS = [("grpc.max_receive_message_length", -1)]


class Topics:
    """Sketches go in, answers come out."""

    def __init__(self, port: int) -> None:
        self._channel = grpc.insecure_channel(host := f"127.0.0.1:{port}", options=_ENDLESS)
        self._publisher = pubsub_v1.PublisherClient(transport=PublisherGrpcTransport(channel=self._channel))
        self._subscriber = pubsub_v1.SubscriberClient(transport=SubscriberGrpcTransport(channel=self._channel))
        self.settings: Settings = settings(cloud_project=f"test-{uuid.uuid4().hex[:12]}", pubsub_emulator_host=host)

    def make_results(self) -> None:
        topic, name = results_topic(self.settings), results_subscription(self.settings)
        self._publisher.create_topic(name=topic)
        self._subscriber.create_subscription(name=name, topic=topic)

    def make_jobs(self, endpoint: str) -> None:
        topic = jobs_topic(self.settings, "sketch")
        self._publisher.create_topic(name=topic)
        push = pubsub_v1.types.PushConfig(push_endpoint=endpoint)
        request = {"name": self._pushed, "topic": topic, "push_config": push, "ack_deadline_seconds": 60}
        self._subscriber.create_subscription(request=request)

    def send(self, parcel: Parcel) -> None:
        topic = jobs_topic(self.settings, "sketch")
        self._publisher.publish(topic, parcel.body, **parcel.attributes).result(10)

    def answers(self, count: int) -> list[Parcel]:
        """The next answers, which are then gone from there."""
        name, parcels = results_subscription(self.settings), list[Parcel]()
        while len(parcels) < count:
            got = self._subscriber.pull(subscription=name, max_messages=10, timeout=30).received_messages
            parcels += [Parcel(each.message.data, dict(each.message.attributes)) for each in got]
            self._subscriber.acknowledge(subscription=name, ack_ids=[each.ack_id for each in got])
        return parcels

    def stop_pushing(self) -> None:
        """The emulator would go on pushing what a test left."""
        self._subscriber.delete_subscription(subscription=self._pushed)

    def close(self) -> None:
        self._publisher.stop()
        self._channel.close()

    @property
    def _pushed(self) -> str:
        return f"projects/{self.settings.cloud_project}/subscriptions/pushed"
