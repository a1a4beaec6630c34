"""What an operator asks for over HTTP; a router answers on the bus."""

import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from bus.messages import Message
from bus.rabbit import Bus, Consumer, Delivery
from bus.replies import bury
from bus.topology import CONTROL_ROUTER, DEFAULT_EXCHANGE, Queue, Topology
from tests.ui.web.api.house import AWAY, RESULT, House, open_house

pytestmark = pytest.mark.broker


@pytest.fixture(scope="module")
def token(house: House) -> str:
    return house.token("steering-operator", "operator")


@pytest.fixture
def operator(house: House, token: str) -> Iterator[httpx.Client]:
    with house.client(token) as client:
        yield client


@pytest.fixture
def router(house: House) -> Iterator[None]:
    """Answers each order with its key."""
    bus: Bus = house.web.bus

    def carry_out(delivery: Delivery) -> None:
        order = delivery.message
        said = Message(order.routing_key.encode(), order.reply_to or "", correlation_id=order.correlation_id)
        bus.publish(DEFAULT_EXCHANGE, said)
        bus.ack(delivery)

    consumer: Consumer = house.do(bus.consume(CONTROL_ROUTER, carry_out, prefetch=1))
    yield
    house.do(bus.cancel(consumer))


@pytest.fixture
def letter(house: House, operator: httpx.Client) -> Iterator[dict[str, object]]:
    """A dead job, the only one."""
    house.do(house.web.bus.declare(Topology(queues=(Queue("replies"),))))  # somebody waits there
    message = Message(b"picture", "sketch", {"user": "anna", "attempt": 3}, message_id="cup", reply_to="replies")
    house.do(_buried(house, message))
    (letter,) = operator.get("/api/v1/dead").json()["letters"]
    yield letter
    operator.delete(f"/api/v1/dead/{letter['id']}")


async def _buried(house: House, message: Message) -> None:
    await bury(house.web.bus, message, "it failed")


@pytest.mark.parametrize(
    ("path", "said"),
    [
        ("vms/vm1/drain", "vm.drain.vm1"),
        ("vms/vm1/resume", "vm.resume.vm1"),
        ("operations/sketch/pause", "operation.pause.sketch"),
        ("operations/sketch/resume", "operation.resume.sketch"),
    ],
)
def test_an_order_brings_the_routers_word(operator: httpx.Client, router: None, path: str, said: str) -> None:
    answer = operator.post(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()) == (200, {"said": said})


@pytest.mark.parametrize("path", ["vms/VM 1/drain", "operations/knit/pause", "vms/vm.*/resume"])
def test_an_order_that_can_not_be_meant(operator: httpx.Client, path: str) -> None:
    answer = operator.post(f"/api/v1/{path}")
    assert (answer.status_code, answer.json()["field"]) == (422, "name")


def test_a_dead_job_is_told_with_what_became_of_it(letter: dict[str, object]) -> None:
    told = {name: letter[name] for name in ("job", "user", "operation", "reason", "bytes", "replays", "refused")}
    assert told == {
        "job": "cup", "user": "anna", "operation": "sketch", "reason": "it failed", "bytes": 7, "replays": 0,
        "refused": None,
    }  # fmt: skip


def test_a_dead_job_is_sent_again_once(operator: httpx.Client, letter: dict[str, object]) -> None:
    path = f"/api/v1/dead/{letter['id']}/replay"
    assert operator.post(path).json()["job"] == "cup"
    again = operator.post(path)
    assert (again.status_code, again.json()["type"]) == (404, "urn:overspill:problem:not-found")
    assert operator.get("/api/v1/dead").json() == {"letters": [], "more": False}


def test_a_dead_job_is_removed(operator: httpx.Client, letter: dict[str, object]) -> None:
    assert operator.delete(f"/api/v1/dead/{letter['id']}").status_code == 204
    assert operator.delete(f"/api/v1/dead/{letter['id']}").status_code == 404


def test_what_is_no_job_is_not_sent_again(house: House, operator: httpx.Client) -> None:
    house.do(_buried(house, Message(b"?", "knit", message_id="odd")))
    (letter,) = operator.get("/api/v1/dead").json()["letters"]
    refused = operator.post(f"/api/v1/dead/{letter['id']}/replay")
    assert (refused.status_code, "not an operation" in refused.json()["detail"]) == (409, True)
    assert operator.delete(f"/api/v1/dead/{letter['id']}").status_code == 204


def test_without_the_broker_nothing_is_done_and_that_is_said(tmp_path: Path) -> None:
    orders = [("POST", "/vms/vm1/drain"), ("POST", "/operations/sketch/pause")]
    letters = [("GET", "/dead"), ("POST", f"/dead/{'0' * 32}/replay"), ("DELETE", f"/dead/{'0' * 32}")]
    with open_house(f"amqp://{AWAY}", tmp_path) as away, away.client(away.token("olga", "operator")) as olga:
        for method, path in (*orders, *letters):
            refused = olga.request(method, f"/api/v1{path}")
            assert (refused.status_code, refused.headers["retry-after"]) == (503, "5")
            assert refused.json()["detail"].startswith("The broker is away: ")


def test_what_nobody_waits_for_is_sent_again_by_who_insists(house: House, operator: httpx.Client) -> None:
    house.do(_buried(house, Message(b"picture", "sketch", {"user": "anna"}, message_id="cup", reply_to="anna.left")))
    (letter,) = operator.get("/api/v1/dead").json()["letters"]
    refused = operator.post(f"/api/v1/dead/{letter['id']}/replay")
    assert (refused.status_code, "the reply queue anna.left is gone" in refused.json()["detail"]) == (409, True)
    assert operator.post(f"/api/v1/dead/{letter['id']}/replay?force=true").json()["job"] == "cup"


def test_only_operators_may(anna: httpx.Client) -> None:
    asked = [
        anna.post("/api/v1/vms/vm1/drain"),
        anna.post("/api/v1/operations/sketch/pause"),
        anna.get("/api/v1/dead"),
        anna.post(f"/api/v1/dead/{'0' * 32}/replay"),
        anna.delete(f"/api/v1/dead/{'0' * 32}"),
    ]
    assert [answer.status_code for answer in asked] == [403] * 5


def test_a_dead_job_of_the_page_that_is_sent_again_ends_for_its_user(
    house: House, operator: httpx.Client, anna: httpx.Client
) -> None:
    asked = {"operation": "sketch", "params": '{"quality": 1}'}
    job = anna.post("/api/v1/jobs", params=asked, content=RESULT, headers={"content-type": "image/png"}).json()
    failed = eventually_ended(anna, job["id"])
    assert failed["state"] == "failed"
    name = anna.get("/api/v1/me").json()["name"]
    replies = house.web.desk._own_replies
    house.do(_buried(house, Message(RESULT, "sketch", {"user": name}, message_id=job["id"], reply_to=replies)))
    (letter,) = operator.get("/api/v1/dead").json()["letters"]
    assert operator.post(f"/api/v1/dead/{letter['id']}/replay").status_code == 200
    done = eventually_ended(anna, job["id"])
    assert (done["state"], done["problem"]) == ("done", None)


def eventually_ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it has ended."""
    while (job := client.get(f"/api/v1/jobs/{job_id}").json())["ended_ms"] is None:
        time.sleep(0.02)
    return dict(job)
