import asyncio
from concurrent.futures import ThreadPoolExecutor

import grpc

from bridge.envelope import Parcel
from bus.settings import Settings
from tests.needed import need_package

need_package("google.cloud.pubsub_v1", "bridge")
from bridge.pubsub.clients import Clients  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.stream import Received, Room, Stream  # noqa: E402

# What a stream brings is looked at in test_pull.py, with a subscription behind it.
PATIENCE_S = 40


def test_there_is_room_until_as_many_or_as_much_as_may_be_has_come() -> None:
    room = Room(messages=2, size=100)
    room.take(10)
    assert room.wait(0)

    room.take(10)
    assert not room.wait(0)

    room.give(10)
    assert room.wait(0)

    room.take(500)  # the last one may be larger than what was left, or nothing large would ever come
    assert not room.wait(0)


def test_a_message_is_another_than_one_of_the_same_name() -> None:
    parcel = Parcel(b"", {})
    assert len({Received("box:1", parcel), Received("box:1", parcel)}) == 2


class Headers:
    """A server that notes the metadata of a streaming pull, and ends it."""

    def __init__(self) -> None:
        self.noted: dict[str, str | bytes] = {}

    def service(self, details: grpc.HandlerCallDetails) -> grpc.RpcMethodHandler:
        self.noted.update(details.invocation_metadata)
        return grpc.stream_stream_rpc_method_handler(lambda requests, context: iter(()))


async def test_a_stream_tells_google_which_subscription_it_is_for() -> None:
    headers = Headers()
    server = grpc.server(ThreadPoolExecutor(1), handlers=[headers])
    port = server.add_insecure_port("127.0.0.1:0")
    server.start()
    clients = Clients(Settings(pubsub_emulator_host=f"127.0.0.1:{port}"))
    name = "projects/p/subscriptions/box"

    await asyncio.wait_for(Stream(clients, name, lambda _: None, Room()).ended, PATIENCE_S)

    assert headers.noted["x-goog-request-params"] == f"subscription={name}"
    clients.close()
    server.stop(None).wait()
