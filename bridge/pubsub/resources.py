"""What overspill needs on Google Pub/Sub, as data: names, and the state each topic and subscription should be in. Pure.

`setup` makes it so, `check` looks whether it is so. One topic an operation: services differ in size and number by
operation, and a filter on one topic for all would be paid for by the byte.
"""

from dataclasses import dataclass, fields
from typing import Final

from bus.errors import SetupError
from bus.settings import Settings
from bus.topology import OPERATIONS

CANARY: Final = "canary-"
"""What the tickets of trial jobs begin with: nobody waits for their answers but who sent them."""
DELETED_TOPIC: Final = "_deleted-topic_"
"""What Google gives as the topic of a subscription that lost it."""
PULL_ACK_S: Final = 10
"""The shortest there is: what a bridge held when it died comes again after that."""
RETRY_S: Final = (1, 60)
_RUN_MARGIN_S: Final = 60.0
"""What a push takes besides its run: the service's wait for a slot before it, and publishing the answer after it."""
_ACK_BOUNDS_S: Final = (10, 600)
_HOUR_S: Final = 3600
_ON_EMULATOR: Final = "overspill"


@dataclass(frozen=True, slots=True)
class Push:
    """Where a subscription pushes to, and in whose name; without an account it brings no token."""

    endpoint: str
    account: str = ""
    audience: str = ""


@dataclass(frozen=True, slots=True)
class Subscription:
    """A subscription; `name`, `topic` and `dead_topic` are full names. Durations are in seconds."""

    name: str
    topic: str
    ack_deadline_s: int
    kept_s: int
    """How long what nobody acknowledged is kept."""
    expires_s: int = 0
    """Disuse after which Google deletes the subscription itself; 0 is never."""
    push: Push | None = None
    retry_s: tuple[int, int] | None = None
    """The shortest and the longest wait before it is delivered again."""
    dead_topic: str = ""
    deliveries: int = 0
    filter: str = ""


@dataclass(frozen=True, slots=True)
class Resources:
    """Everything there should be; what is taken in comes before what is sent out, so that no answer finds nobody."""

    topics: tuple[str, ...]
    subscriptions: tuple[Subscription, ...]


def project_of(settings: Settings) -> str:
    """The project of all names. Raises SetupError when none is known."""
    if settings.cloud_project:
        return settings.cloud_project
    if settings.pubsub_emulator_host:
        return _ON_EMULATOR
    raise SetupError(
        "No Google Cloud project: set OVERSPILL_CLOUD_PROJECT to that of the topics, "
        "or PUBSUB_EMULATOR_HOST to try it on an emulator."
    )


def topic(settings: Settings, of: str) -> str:
    """The full name of a topic of ours. Raises SetupError when no project is known."""
    return f"projects/{project_of(settings)}/topics/{settings.cloud_prefix}-{of}"


def subscription(settings: Settings, of: str) -> str:
    """The full name of a subscription of ours. Raises SetupError when no project is known."""
    return f"projects/{project_of(settings)}/subscriptions/{settings.cloud_prefix}-{of}"


def jobs_topic(settings: Settings, operation: str) -> str:
    """Where jobs of an operation go."""
    return topic(settings, f"jobs-{operation}")


def results_topic(settings: Settings) -> str:
    """Where the services' answers go."""
    return topic(settings, "results")


def dead_topic(settings: Settings) -> str:
    """Where jobs go that used up their deliveries."""
    return topic(settings, "dead")


def results_subscription(settings: Settings) -> str:
    """Where the bridge pulls answers from."""
    return subscription(settings, "results-pull")


def dead_subscription(settings: Settings) -> str:
    """Where the bridge pulls jobs from that used up their deliveries."""
    return subscription(settings, "dead-pull")


def operations(settings: Settings) -> tuple[str, ...]:
    """What can be sent to the cloud: operations with an address, or all where somebody else knows the addresses."""
    if not settings.cloud_services:
        return OPERATIONS
    return tuple(operation for operation in OPERATIONS if address(settings, operation))


def address(settings: Settings, operation: str) -> str | None:
    """The service that jobs of an operation are pushed to: the first that is named for it, or for all."""
    return next((url for named, url in settings.cloud_services if named in ("", operation)), None)


def wanted(settings: Settings) -> Resources:
    """What should be there.

    Raises SetupError when no project is known, or when pushes on Google would bring no token.
    """
    sent = operations(settings)
    pushes = [(operation, url) for operation in sent if (url := address(settings, operation))]
    if pushes and not settings.pubsub_emulator_host and not settings.cloud_push_account:
        raise SetupError(
            "No account to push in the name of: set OVERSPILL_CLOUD_PUSH_ACCOUNT to the e-mail address of a service "
            "account that may invoke the cloud service; without its token every push is refused."
        )
    jobs = [jobs_topic(settings, operation) for operation in sent]
    return Resources(
        topics=(results_topic(settings), dead_topic(settings), *jobs),
        subscriptions=(
            _pulled(results_subscription(settings), results_topic(settings)),
            _pulled(dead_subscription(settings), dead_topic(settings)),
            *(_pushed(settings, operation, url) for operation, url in pushes),
        ),
    )


def restorable(settings: Settings) -> Resources:
    """What a bridge may make anew by itself: what is wanted, but for topics that nothing would be pushed from.

    Without its topic a job is refused and goes back to the VMs; in a topic without a subscription it would vanish.
    Raises SetupError as `wanted` does.
    """
    all_ = wanted(settings)
    heard = {subscription.topic for subscription in all_.subscriptions}
    return Resources(tuple(topic for topic in all_.topics if topic in heard), all_.subscriptions)


def trial(settings: Settings, number: str) -> Subscription:
    """A subscription to the answers of trial jobs alone, for as long as one trial lasts."""
    return Subscription(
        name=subscription(settings, f"{CANARY}{number}"),
        topic=results_topic(settings),
        ack_deadline_s=PULL_ACK_S,
        kept_s=600,
        expires_s=24 * _HOUR_S,  # the shortest there is, should nobody delete it
        filter=f'hasPrefix(attributes.ticket, "{CANARY}")',
    )


def short(name: str) -> str:
    """A full name without its project."""
    return name.rpartition("/")[2]


def grants(settings: Settings) -> tuple[str, ...]:
    """Commands that allow Google's own agent to move dead letters, for whoever administers the project.

    The agent's name has the project's number in it, which only `gcloud projects describe` tells.
    """
    project = project_of(settings)
    agent = '--member="serviceAccount:service-$NUMBER@gcp-sa-pubsub.iam.gserviceaccount.com"'
    subscriptions = [each.name for each in wanted(settings).subscriptions if each.push]
    return (
        f"NUMBER=$(gcloud projects describe {project} --format='value(projectNumber)')",
        f"gcloud pubsub topics add-iam-policy-binding {dead_topic(settings)} {agent} --role=roles/pubsub.publisher",
        *(
            f"gcloud pubsub subscriptions add-iam-policy-binding {name} {agent} --role=roles/pubsub.subscriber"
            for name in subscriptions
        ),
    )


def differences(wanted: Subscription, found: Subscription) -> tuple[str, ...]:
    """The names of the fields in which a subscription is not as it should be."""
    names = (field.name for field in fields(Subscription))
    return tuple(name for name in names if getattr(wanted, name) != getattr(found, name))


def _pushed(settings: Settings, operation: str, url: str) -> Subscription:
    least, most = _ACK_BOUNDS_S
    account = settings.cloud_push_account or ""
    return Subscription(
        name=subscription(settings, f"jobs-{operation}-push"),
        topic=jobs_topic(settings, operation),
        # A push that takes longer is pushed again while the first still runs; a run of over 540 s may be.
        ack_deadline_s=int(max(least, min(most, settings.job_timeout_s + _RUN_MARGIN_S))),
        kept_s=_HOUR_S,  # long after the bridge has answered for it: no picture stays for days
        push=Push(f"{url}/push", account, (settings.cloud_audience or url) if account else ""),
        # With a policy, the emulator tries a push that was refused about twice and then never again.
        retry_s=None if settings.pubsub_emulator_host else RETRY_S,
        dead_topic=dead_topic(settings),
        deliveries=settings.cloud_deliveries,
    )


def _pulled(name: str, topic: str) -> Subscription:
    return Subscription(name=name, topic=topic, ack_deadline_s=PULL_ACK_S, kept_s=24 * _HOUR_S)
