from dataclasses import replace

import pytest

from bridge.pubsub import resources
from bridge.pubsub.resources import Push, Subscription, differences, wanted
from bus.errors import SetupError
from bus.settings import Settings
from bus.topology import OPERATIONS

ALL = "https://all.example"


def on_google(**given: object) -> Settings:
    told = {
        "pubsub_emulator_host": None,
        "cloud_project": "photos",
        "cloud_services": ALL,
        "cloud_push_account": "push@photos.iam",
    }
    return Settings.model_validate({**told, **given})


def test_names_begin_with_the_prefix_and_lie_in_the_project() -> None:
    settings = on_google(cloud_prefix="ours")

    assert resources.jobs_topic(settings, "sketch") == "projects/photos/topics/ours-jobs-sketch"
    assert resources.results_topic(settings) == "projects/photos/topics/ours-results"
    assert resources.dead_topic(settings) == "projects/photos/topics/ours-dead"
    assert resources.results_subscription(settings) == "projects/photos/subscriptions/ours-results-pull"
    assert resources.dead_subscription(settings) == "projects/photos/subscriptions/ours-dead-pull"
    assert resources.short(resources.dead_topic(settings)) == "ours-dead"


def test_an_emulator_needs_no_project_and_google_does() -> None:
    assert resources.project_of(on_google(cloud_project=None, pubsub_emulator_host="h:1")) == "overspill"
    assert resources.project_of(on_google(pubsub_emulator_host="h:1")) == "photos"
    with pytest.raises(SetupError, match="set OVERSPILL_CLOUD_PROJECT"):
        resources.project_of(on_google(cloud_project=None))


def test_an_operation_goes_to_the_first_service_named_for_it() -> None:
    settings = on_google(cloud_services="caption=https://c.example,https://all.example,sketch=https://late.example")

    assert resources.address(settings, "caption") == "https://c.example"
    assert resources.address(settings, "sketch") == ALL
    assert resources.operations(settings) == OPERATIONS


def test_an_operation_without_a_service_is_not_sent() -> None:
    settings = on_google(cloud_services="sketch=https://s.example")

    assert resources.operations(settings) == ("sketch",)
    assert resources.address(settings, "caption") is None
    assert [resources.short(topic) for topic in wanted(settings).topics] == [
        "overspill-results",
        "overspill-dead",
        "overspill-jobs-sketch",
    ]


def test_a_bridge_that_knows_no_addresses_sends_everything_and_pushes_nowhere() -> None:
    settings = on_google(cloud_services="", cloud_push_account=None)

    assert resources.operations(settings) == OPERATIONS
    assert len(wanted(settings).topics) == len(OPERATIONS) + 2
    assert [each.push for each in wanted(settings).subscriptions] == [None, None]


def test_a_bridge_makes_no_topic_anew_that_would_swallow_jobs() -> None:
    nowhere, somewhere = on_google(cloud_services=""), on_google(cloud_services="sketch=https://s.example")

    assert [resources.short(topic) for topic in resources.restorable(nowhere).topics] == [
        "overspill-results",
        "overspill-dead",
    ]
    assert resources.restorable(nowhere).subscriptions == wanted(nowhere).subscriptions
    assert resources.restorable(somewhere) == wanted(somewhere)


def test_jobs_are_pushed_with_a_token_retried_and_given_up() -> None:
    pushed = wanted(on_google(job_timeout_s=100, cloud_deliveries=7)).subscriptions[2]

    assert pushed == Subscription(
        name="projects/photos/subscriptions/overspill-jobs-sketch-push",
        topic="projects/photos/topics/overspill-jobs-sketch",
        ack_deadline_s=160,
        kept_s=3600,
        push=Push("https://all.example/push", "push@photos.iam", ALL),
        retry_s=(1, 60),
        dead_topic="projects/photos/topics/overspill-dead",
        deliveries=7,
    )


def test_an_emulator_gets_no_policy_for_retries_since_it_would_give_a_refused_push_up_for_ever() -> None:
    pushed = wanted(on_google(pubsub_emulator_host="h:1")).subscriptions[2]

    assert (pushed.retry_s, pushed.deliveries) == (None, 10)


@pytest.mark.parametrize(("run_s", "deadline_s"), [(0.5, 60), (60, 120), (540, 600), (5000, 600)])
def test_a_push_may_take_a_minute_longer_than_a_run_within_what_pubsub_allows(run_s: float, deadline_s: int) -> None:
    assert wanted(on_google(job_timeout_s=run_s)).subscriptions[2].ack_deadline_s == deadline_s


def test_the_token_names_the_audience_of_the_settings() -> None:
    push = wanted(on_google(cloud_audience="overspill")).subscriptions[2].push

    assert push == Push("https://all.example/push", "push@photos.iam", "overspill")


def test_google_is_not_set_up_to_push_what_every_service_refuses() -> None:
    with pytest.raises(SetupError, match="set OVERSPILL_CLOUD_PUSH_ACCOUNT"):
        wanted(on_google(cloud_push_account=None))

    on_emulator = wanted(on_google(cloud_push_account=None, pubsub_emulator_host="h:1"))
    assert on_emulator.subscriptions[2].push == Push("https://all.example/push")


def test_what_is_pulled_is_kept_a_day_and_never_expires() -> None:
    results, dead = wanted(on_google()).subscriptions[:2]

    assert (results.topic, dead.topic) == (resources.results_topic(on_google()), resources.dead_topic(on_google()))
    assert {(each.ack_deadline_s, each.kept_s, each.expires_s, each.push) for each in (results, dead)} == {
        (10, 86_400, 0, None)
    }


def test_a_trial_hears_of_trials_alone_and_leaves_nothing_for_long() -> None:
    trial = resources.trial(on_google(), "0123")

    assert trial.name == "projects/photos/subscriptions/overspill-canary-0123"
    assert trial.topic == resources.results_topic(on_google())
    assert trial.filter == 'hasPrefix(attributes.ticket, "canary-")'
    assert (trial.kept_s, trial.expires_s) == (600, 86_400)


def test_differences_are_named_by_field() -> None:
    pushed = wanted(on_google()).subscriptions[2]

    assert differences(pushed, pushed) == ()
    assert differences(pushed, replace(pushed, ack_deadline_s=1, push=None)) == ("ack_deadline_s", "push")


def test_googles_agent_is_granted_what_dead_letters_need() -> None:
    number, publish, *subscribe = resources.grants(on_google(cloud_services="sketch=https://s.example"))

    assert "describe photos" in number
    assert "projects/photos/topics/overspill-dead" in publish
    assert [command.split()[4] for command in subscribe] == ["projects/photos/subscriptions/overspill-jobs-sketch-push"]
