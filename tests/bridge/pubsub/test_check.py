import io
import threading
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from bridge.envelope import Parcel, answer_parcel, read_job, read_push, returned_parcel
from bridge.pubsub import resources
from bus.answers import Answer
from bus.problems import Kind, Problem
from bus.settings import Settings
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
from bridge.pubsub.check import examine, judged, outcome, trial_parcel, trials  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.clients import Clients  # noqa: E402
from bridge.pubsub.setup import apply  # noqa: E402

WANTED = resources.trial(Settings(pubsub_emulator_host="h:1"), "0")
JOB, _ = read_job(trial_parcel("sketch", "canary-1", now_ms=1000, until_ms=61_000))


def test_a_trial_is_a_small_picture_that_nobody_wants_late() -> None:
    image = need_package("PIL.Image", "vm")

    with image.open(io.BytesIO(JOB.body)) as picture:
        picture.load()
        assert (picture.format, picture.size, picture.mode) == ("PNG", (64, 64), "L")
    assert (JOB.id, JOB.operation, JOB.deadline_ms) == ("canary-1", "sketch", 61_000)


def test_a_subscription_is_judged_by_what_it_should_be() -> None:
    assert judged("it", WANTED, WANTED).good
    assert judged("it", WANTED, None).detail == "is not there"
    wrong = judged("it", WANTED, replace(WANTED, kept_s=60, filter=""))
    assert (wrong.good, wrong.remedy) == (False, "Run `overspill cloud init`.")
    assert wrong.detail.startswith("kept_s is 60, not 600; filter is none, not hasPrefix")


def test_an_answer_is_good_and_says_where_it_ran() -> None:
    answer = Answer.to(JOB, content_type="image/jpeg", body=b"drawn", vm="sketch-00007", ran_ms=12)

    found = outcome("sketch", answer_parcel(answer))

    assert found.good
    assert found.detail == "sketch-00007 answered with 5 bytes of image/jpeg after 12 ms of computing"


@pytest.mark.parametrize(
    ("parcel", "detail"),
    [
        (
            answer_parcel(Answer.refusal(JOB, Problem.of(Kind.OPERATION_FAILED, "No luck."))),
            "The operation failed: No luck.",
        ),
        (
            returned_parcel(Parcel(b"", {"kind": "job"}), "no model"),
            "the service does not serve it, and gives it back: no model",
        ),
        (Parcel(b"", {"kind": "answer"}), "the answer can't be read"),
    ],
    ids=["problem", "returned", "unreadable"],
)
def test_anything_else_is_not_good_and_has_its_remedy(parcel: Parcel, detail: str) -> None:
    found = outcome("sketch", parcel)

    assert not found.good
    assert found.detail.startswith(detail)
    assert found.remedy


@pytest.fixture
def chosen(pubsub_emulator: PubSubEmulator) -> Settings:
    return Settings(
        pubsub_emulator_host=pubsub_emulator.host,
        cloud_project=f"test-{uuid.uuid4().hex[:12]}",
        cloud_services=(("sketch", "http://127.0.0.1:9"),),
    )


@pytest.fixture
def clients(chosen: Settings) -> Iterator[Clients]:
    clients = Clients(chosen)
    yield clients
    clients.close()


@contextmanager
def service(clients: Clients, chosen: Settings) -> Iterator[str]:
    """A cloud service that draws nothing and answers all the same."""

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            job, _ = read_job(read_push(self.rfile.read(int(self.headers["Content-Length"]))))
            parcel = answer_parcel(Answer.to(job, content_type="image/jpeg", body=b"drawn", vm="here", ran_ms=1))
            clients.publisher.publish(resources.results_topic(chosen), parcel.body, **parcel.attributes).result(30)
            self.send_response(204)
            self.end_headers()

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    thread.join()
    server.server_close()


def test_all_that_is_missing_is_found_and_then_nothing(clients: Clients, chosen: Settings) -> None:
    before = list(examine(clients, resources.wanted(chosen)))
    apply(clients, resources.wanted(chosen))
    after = list(examine(clients, resources.wanted(chosen)))

    assert {(each.good, each.detail) for each in before} == {(False, "is not there")}
    assert {(each.good, each.detail) for each in after} == {(True, "there"), (True, "as it should be")}
    assert len(before) == len(after) == 6


def test_a_trial_goes_all_the_way_and_leaves_nothing(clients: Clients, chosen: Settings) -> None:
    with service(clients, chosen) as url:
        serving = chosen.model_copy(update={"cloud_services": (("sketch", url),)})
        apply(clients, resources.wanted(serving))

        (found,) = trials(clients, serving, 30)

    assert (found.good, found.subject) == (True, "trial sketch")
    project = f"projects/{chosen.cloud_project}"
    names = [each.name for each in clients.subscriber.list_subscriptions(project=project)]
    assert not [name for name in names if resources.CANARY in name]


def test_a_service_that_is_silent_is_named(clients: Clients, chosen: Settings) -> None:
    apply(clients, resources.wanted(chosen))

    (found,) = trials(clients, chosen, 1)

    assert (found.good, found.detail) == (False, "no answer within 1 s")
    assert "http://127.0.0.1:9" in found.remedy


def test_trials_where_nothing_is_set_up_say_so(clients: Clients, chosen: Settings) -> None:
    (found,) = trials(clients, chosen, 1)

    assert (found.good, found.remedy) == (False, "Run `overspill cloud init`.")
    assert "NotFound" in found.detail


def test_a_pubsub_that_does_not_answer_is_told_once_for_each_thing(chosen: Settings) -> None:
    nowhere = Clients(chosen.model_copy(update={"pubsub_emulator_host": "127.0.0.1:1"}))

    found = next(iter(examine(nowhere, resources.wanted(chosen))))

    assert not found.good
    assert "roles/pubsub.viewer" in found.remedy
    nowhere.close()
