"""The client without an event loop, on a real broker."""

import asyncio
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from bus.answers import Answer
from bus.errors import AnswerTimeout, BadInput, JobFailed, SetupError
from producers.client import Client
from tests.producers.client.responder import Responder, complaint, silence

pytestmark = pytest.mark.broker


@pytest.fixture
def responder(amqp_url: str) -> Iterator[Responder]:
    """A responder on a loop of its own, in another thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    responder = Responder(amqp_url)
    asyncio.run_coroutine_threadsafe(responder.__aenter__(), loop).result(30)
    yield responder
    asyncio.run_coroutine_threadsafe(responder.__aexit__(), loop).result(30)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


def test_a_job_is_answered(amqp_url: str, responder: Responder) -> None:
    with Client(amqp_url, user="ann") as client:
        handle = client.submit(b"jpeg", "sketch", job_id="mine")
        assert handle.id == "mine"
        assert handle.result(30).body == b"jpeg"
        assert handle.done
        assert (client.duplicates, client.strangers) == (0, 0)


def test_a_problem_is_raised(amqp_url: str, responder: Responder) -> None:
    responder.answers = complaint
    with Client(amqp_url) as client, pytest.raises(JobFailed, match="not an image"):
        client.submit(b"text", "sketch").result(30)


def test_no_answer_in_time(amqp_url: str, responder: Responder) -> None:
    responder.answers = silence
    with Client(amqp_url) as client, pytest.raises(AnswerTimeout):
        client.submit(b"1", "sketch").result(0.01)


def test_map_reads_the_pictures_on_the_callers_thread(amqp_url: str, responder: Responder, tmp_path: Path) -> None:
    def images() -> Iterator[bytes | Path]:
        assert threading.current_thread() is threading.main_thread()
        yield from (b"1", tmp_path / "gone.jpg", b"2")

    with Client(amqp_url) as client:
        outcomes = [outcome for _, outcome in client.map("sketch", images(), window=2, in_order=True)]
    assert [type(outcome) for outcome in outcomes] == [Answer, BadInput, Answer]


def test_map_can_be_let_go_of(amqp_url: str, responder: Responder) -> None:
    with Client(amqp_url) as client:
        answers = client.map("sketch", [bytes([n]) for n in range(10)], window=3)
        next(answers)
        answers.close()
        assert client.submit(b"still alive", "sketch").result(30).body == b"still alive"


def test_several_threads_may_share_a_client(amqp_url: str, responder: Responder) -> None:
    with Client(amqp_url) as client, ThreadPoolExecutor(4) as pool:
        bodies = [bytes([n]) for n in range(20)]
        assert list(pool.map(lambda body: client.submit(body, "sketch").result(30).body, bodies)) == bodies


def test_without_a_broker_the_remedy_is_named_and_no_thread_is_left() -> None:
    with pytest.raises(SetupError, match="correct AMQP_URL"), Client("amqp://127.0.0.1:1", connect_timeout_s=0.3):
        pass
    assert "overspill client" not in {thread.name for thread in threading.enumerate()}
