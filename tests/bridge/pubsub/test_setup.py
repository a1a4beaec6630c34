import uuid
from collections.abc import Iterator

import pytest

from bridge.pubsub import resources
from bus.errors import SetupError
from bus.settings import Settings
from tests.needed import need_package
from ui.stack.emulator import PubSubEmulator

need_package("google.cloud.pubsub_v1", "bridge")
from bridge.pubsub.clients import Clients  # noqa: E402 (what it needs may be missing)
from bridge.pubsub.setup import apply, create, delete, found_subscription, found_topic  # noqa: E402


def settings(host: str, project: str, **given: object) -> Settings:
    told = {"pubsub_emulator_host": host, "cloud_project": project, "cloud_services": "sketch=http://127.0.0.1:9"}
    return Settings.model_validate({**told, **given})


@pytest.fixture
def project() -> str:
    return f"test-{uuid.uuid4().hex[:12]}"


@pytest.fixture
def clients(pubsub_emulator: PubSubEmulator) -> Iterator[Clients]:
    clients = Clients(Settings(pubsub_emulator_host=pubsub_emulator.host))
    yield clients
    clients.close()


def test_everything_is_made_once_and_then_left_alone(
    clients: Clients, pubsub_emulator: PubSubEmulator, project: str
) -> None:
    wanted = resources.wanted(settings(pubsub_emulator.host, project, cloud_push_account="push@p.iam"))

    assert apply(clients, wanted) == [
        "topic overspill-results: created",
        "subscription overspill-results-pull: created",
        "topic overspill-dead: created",
        "subscription overspill-dead-pull: created",
        "topic overspill-jobs-sketch: created",
        "subscription overspill-jobs-sketch-push: created",
    ]
    assert {line.rpartition(": ")[2] for line in apply(clients, wanted)} == {"there"}
    assert all(found_topic(clients, topic) for topic in wanted.topics)
    assert [found_subscription(clients, each.name) for each in wanted.subscriptions] == [*wanted.subscriptions]


def test_what_the_settings_changed_is_updated(clients: Clients, pubsub_emulator: PubSubEmulator, project: str) -> None:
    apply(clients, resources.wanted(settings(pubsub_emulator.host, project)))
    other = settings(
        pubsub_emulator.host,
        project,
        cloud_services="sketch=http://127.0.0.1:10",
        cloud_deliveries=9,
        job_timeout_s=100,
        cloud_push_account="push@p.iam",
    )
    wanted = resources.wanted(other)

    lines = apply(clients, wanted)

    assert (
        "subscription overspill-jobs-sketch-push: updated (ack_deadline_seconds, dead_letter_policy, push_config)"
        in lines
    )
    assert found_subscription(clients, wanted.subscriptions[2].name) == wanted.subscriptions[2]


def test_a_subscription_that_lost_its_topic_is_made_anew(
    clients: Clients, pubsub_emulator: PubSubEmulator, project: str
) -> None:
    chosen = settings(pubsub_emulator.host, project)
    apply(clients, resources.wanted(chosen))
    clients.publisher.delete_topic(topic=resources.results_topic(chosen))

    lines = apply(clients, resources.wanted(chosen))

    assert "topic overspill-results: created" in lines
    assert "subscription overspill-results-pull: created anew, its topic had been deleted" in lines


def test_somebody_elses_subscription_is_left_alone(
    clients: Clients, pubsub_emulator: PubSubEmulator, project: str
) -> None:
    chosen = settings(pubsub_emulator.host, project)
    theirs = f"projects/{project}/topics/theirs"
    clients.publisher.create_topic(name=theirs)
    create(
        clients, resources.Subscription(resources.results_subscription(chosen), theirs, ack_deadline_s=10, kept_s=600)
    )

    with pytest.raises(SetupError, match=r"another topic, .*OVERSPILL_CLOUD_PREFIX"):
        apply(clients, resources.wanted(chosen))


def test_what_was_deleted_is_not_found(clients: Clients, pubsub_emulator: PubSubEmulator, project: str) -> None:
    chosen = settings(pubsub_emulator.host, project)
    trial = resources.trial(chosen, "0123")
    assert not found_topic(clients, trial.topic)
    clients.publisher.create_topic(name=trial.topic)
    create(clients, trial)
    assert found_subscription(clients, trial.name) == trial

    delete(clients, trial.name)

    assert found_subscription(clients, trial.name) is None


def test_what_pubsub_refuses_is_told(clients: Clients) -> None:
    with pytest.raises(SetupError, match="InvalidArgument"):
        apply(clients, resources.Resources(topics=("projects/p/topics/x",), subscriptions=()))
