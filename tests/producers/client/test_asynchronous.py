"""The client on a real broker, with a stand-in for router and VMs."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import aclosing
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.errors import AnswerTimeout, BadInput, Disconnected, JobFailed, SetupError
from bus.messages import Message
from bus.problems import PROBLEM_JSON
from bus.rabbit import Bus
from bus.topology import DEFAULT_EXCHANGE, Topology
from producers.client import AsyncClient, Image
from tests.producers.client.responder import Responder, complaint, silence, twice
from ui.stack.rabbitmq import PrivateBroker

pytestmark = pytest.mark.broker


@pytest.fixture
async def client(amqp_url: str) -> AsyncIterator[AsyncClient]:
    async with AsyncClient(amqp_url, user="ann") as client:
        yield client


@pytest.fixture
async def responder(amqp_url: str) -> AsyncIterator[Responder]:
    async with Responder(amqp_url) as responder:
        yield responder


async def answer_of(client: AsyncClient, body: bytes, timeout_s: float = 30) -> Answer:
    return await (await client.submit(body, "sketch")).result(timeout_s)


def cut(client: AsyncClient) -> None:
    """End the client's connection, as a fault of the network would."""
    session = client._bus._session
    assert session is not None
    session.end(Disconnected("cut by the test"))


async def test_a_job_is_answered(client: AsyncClient, responder: Responder, tmp_path: Path) -> None:
    photo = tmp_path / "photo.jpg"
    photo.write_bytes(b"jpeg")
    handle = await client.submit(photo, "sketch", {"strength": 0.5}, job_id="mine", priority=7, site="local")
    answer = await handle.result(30)
    assert handle.done
    assert (answer.body, answer.job, answer.vm, answer.correlation_id) == (b"jpeg", "mine", "vm1", "mine")
    (job,) = responder.seen
    assert (job.user, job.params, job.priority, job.site) == ("ann", {"strength": 0.5}, 7, "local")


async def test_each_answer_goes_to_its_own_job(client: AsyncClient, responder: Responder) -> None:
    responder.holding = True
    handles = [await client.submit(bytes([n]), "caption") for n in range(20)]
    await responder.has_seen(20)
    responder.held.reverse()
    responder.release()
    assert [(await handle.result(30)).body for handle in handles] == [bytes([n]) for n in range(20)]


async def test_many_clients_get_their_own_answers(amqp_url: str, responder: Responder) -> None:
    async def one(user: str) -> set[bytes]:
        async with AsyncClient(amqp_url, user=user) as client:
            bodies = [f"{user} {n}".encode() for n in range(10)]
            return {answer.body async for _, answer in client.map("sketch", bodies) if isinstance(answer, Answer)}

    users = [f"user{n}" for n in range(5)]
    answers = await asyncio.gather(*map(one, users))
    assert answers == [{f"{user} {n}".encode() for n in range(10)} for user in users]


async def test_a_second_answer_is_ignored_and_counted(client: AsyncClient, responder: Responder) -> None:
    responder.answers = twice
    await answer_of(client, b"1")
    await answer_of(client, b"2")  # answers come in order: by now the first job's second one is here
    assert client.duplicates >= 1
    assert client.strangers == 0


async def test_what_nobody_asked_for_is_ignored(client: AsyncClient, responder: Responder) -> None:
    stranger = Answer(job="nobody's", operation="sketch", content_type="image/png", body=b"")
    for message in (stranger.to_message(client.replies), Message(b"garbage", client.replies)):
        await responder.bus.publish(DEFAULT_EXCHANGE, message)
    assert (await answer_of(client, b"1")).body == b"1"
    assert (client.strangers, client.duplicates) == (1, 0)


async def test_no_answer_in_time_leaves_the_job_under_way(client: AsyncClient, responder: Responder) -> None:
    responder.holding = True
    handle = await client.submit(b"1", "sketch", job_id="slow")
    with pytest.raises(AnswerTimeout, match=r"sketch job slow within 0\.01 s.*overspill status"):
        await handle.result(0.01)
    assert not handle.done
    assert await client.submit(b"1", "sketch", job_id="slow") is handle
    with pytest.raises(BadInput, match="another job called 'slow'"):
        await client.submit(b"2", "sketch", job_id="slow")
    responder.release()
    assert (await handle.result(30)).body == b"1"


async def test_a_problem_is_raised(client: AsyncClient, responder: Responder) -> None:
    responder.answers = complaint
    with pytest.raises(JobFailed, match="begins with b'hell'") as caught:
        await answer_of(client, b"hello")
    assert caught.value.problem.slug == "not-an-image"


async def test_a_problem_that_cannot_be_read_is_one_too(client: AsyncClient, responder: Responder) -> None:
    responder.answers = lambda job: [Answer.to(job, content_type=PROBLEM_JSON, body=b"{")]
    with pytest.raises(JobFailed, match="can't be read"):
        await answer_of(client, b"1")


async def test_map_keeps_to_its_window(client: AsyncClient, responder: Responder) -> None:
    responder.holding = True
    pulled = 0

    def images() -> Iterator[bytes]:
        nonlocal pulled
        for n in range(20):
            pulled += 1
            yield bytes([n])

    async def release_after_four() -> None:
        await responder.has_seen(4)
        assert pulled == 4
        responder.release()

    releasing = asyncio.create_task(release_after_four())
    seen: list[Image] = []
    async for image, answer in client.map("sketch", images(), window=4):
        assert isinstance(answer, Answer)
        assert answer.body == image
        assert pulled <= len(seen) + 4
        seen.append(image)
    await releasing
    assert sorted(seen) == [bytes([n]) for n in range(20)]


async def test_map_in_order(client: AsyncClient, responder: Responder) -> None:
    async def reverse() -> None:
        await responder.has_seen(5)
        responder.held.reverse()
        responder.release()

    responder.holding = True
    images = [bytes([n]) for n in range(5)]
    reversing = asyncio.create_task(reverse())
    assert [image async for image, _ in client.map("sketch", images, in_order=True)] == images
    await reversing


async def test_one_that_fails_stops_no_other(client: AsyncClient, responder: Responder, tmp_path: Path) -> None:
    images: list[Image] = [b"good", tmp_path / "gone.jpg", b"also good"]
    outcomes = {image: outcome async for image, outcome in client.map("sketch", images, timeout_s=30)}
    assert [type(outcomes[image]) for image in images] == [Answer, BadInput, Answer]


async def test_a_map_let_go_of_leaves_nothing_running(client: AsyncClient, responder: Responder) -> None:
    def running() -> list[str]:
        return [repr(task) for task in asyncio.all_tasks() if "AsyncClient.outcome" in repr(task)]

    async def go_through() -> None:
        async with aclosing(client.map("sketch", [b"1", b"2", b"3"])) as answers:
            async for _ in answers:
                pass

    responder.holding = True
    going = asyncio.create_task(go_through())
    await responder.has_seen(3)
    assert len(running()) == 3
    going.cancel()
    await asyncio.gather(going, return_exceptions=True)
    await asyncio.sleep(0)
    assert not running()


async def test_answers_wait_while_the_broker_restarts(private_broker: PrivateBroker) -> None:
    url = private_broker.add_vhost("client-restart")
    async with AsyncClient(url, user="ann") as client, Responder(url, holding=True) as responder:
        before = await client.submit(b"before", "sketch")
        await responder.has_seen(1)
        private_broker.restart()  # here and not in a helper thread: the node ends with the thread that starts it
        after = await client.submit(b"after", "sketch")
        await responder.has_seen(3)  # the first one is delivered again
        responder.release()
        assert [(await handle.result(60)).body for handle in (before, after)] == [b"before", b"after"]
        assert client.strangers == 0
    private_broker.delete_vhost("client-restart")


async def test_an_unconfirmed_job_is_published_again_under_its_id(client: AsyncClient, responder: Responder) -> None:
    responder.holding = True
    bus = client._bus
    first_publish = bus.publish

    def publish_and_be_cut(exchange: str, message: Message) -> "asyncio.Future[None]":
        bus.publish = first_publish  # type: ignore[method-assign]
        confirmed = first_publish(exchange, message)
        cut(client)
        return confirmed

    bus.publish = publish_and_be_cut  # type: ignore[method-assign, assignment]
    handle = await client.submit(b"1", "sketch", job_id="mine")
    await responder.has_seen(1)
    responder.release()
    assert (await handle.result(30)).job == "mine"
    assert {job.id for job in responder.seen} == {"mine"}


async def test_a_confirmed_job_is_not_sent_again(client: AsyncClient, responder: Responder) -> None:
    responder.holding = True
    handle = await client.submit(b"1", "sketch")
    cut(client)
    another = await client.submit(b"2", "sketch")
    await responder.has_seen(2)
    responder.release()
    assert [(await each.result(30)).body for each in (handle, another)] == [b"1", b"2"]
    assert len(responder.seen) == 2


async def test_a_job_no_broker_takes_is_an_error_in_time(amqp_url: str) -> None:
    client = AsyncClient(amqp_url, accept_timeout_s=0.05)  # never connected
    with pytest.raises(Disconnected, match=r"within 0\.05 s: the connection is lost\. Submit it"):
        await client.submit(b"1", "sketch")


async def test_closing_deletes_the_queue_and_tells_who_waits(amqp_url: str, responder: Responder) -> None:
    responder.answers = silence
    async with AsyncClient(amqp_url) as client:
        handle = await client.submit(b"1", "sketch")
        assert await responder.bus.depths([client.replies]) == {client.replies: 0}
    with pytest.raises(Disconnected, match="closed before job"):
        await handle.result()
    assert await responder.bus.depths([client.replies]) == {client.replies: None}


async def test_the_reply_queue_goes_by_itself_when_the_client_is_gone(amqp_url: str) -> None:
    async with AsyncClient(amqp_url) as client:
        queue = next(queue for queue in client._bus._topology.queues if queue.name == client.replies)
        assert queue.arguments == {"x-queue-type": "classic", "x-expires": 600_000}


async def test_without_a_broker_the_remedy_is_named() -> None:
    with pytest.raises(SetupError, match=r"No broker answers at 127\.0\.0\.1:1/.*correct AMQP_URL"):
        async with AsyncClient("amqp://127.0.0.1:1", connect_timeout_s=0.3):
            pass


async def test_deleting_a_queue_without_a_connection_is_no_fault(amqp_url: str) -> None:
    await Bus(amqp_url, name="test", topology=Topology()).delete("nothing")
