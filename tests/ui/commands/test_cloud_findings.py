"""What the doctor makes of the cloud's settings."""

from typing import Any

import pytest

from bus.settings import Settings
from ui.commands.cloud_findings import cloud

GOOGLE = {"cloud_project": "photos-123", "cloud_services": "https://a.example"}
SAFE = {"cloud_push_account": "pusher@photos-123.iam.gserviceaccount.com", "cloud_money_per_day": 5}


def found(**given: Any) -> list[tuple[str, str]]:
    return [(finding.level, finding.detail) for finding in cloud(Settings(**given))]


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({}, "none is named; `overspill up` plays one on this machine"),
        ({"cloud": "none"}, "turned off (OVERSPILL_CLOUD=none)"),
        ({"pubsub_emulator_host": "e:1", "cloud_services": "http://s"}, "the Pub/Sub emulator at e:1"),
        ({"cloud_project": "p", **SAFE}, "Google Pub/Sub, project p"),
        ({**GOOGLE, **SAFE}, "Google Pub/Sub, project photos-123"),
        (
            {"cloud": "http", "cloud_services": "http://127.0.0.1:1,http://localhost:2"},
            "a pool of services: http://127.0.0.1:1, http://localhost:2",
        ),
        (
            {"cloud": "http", "cloud_services": "https://a.example", "service_token": "secret"},
            "a pool of services: https://a.example",
        ),
    ],
)
def test_a_cloud_that_can_work_is_named(given: dict[str, Any], said: str) -> None:
    assert found(**given) == [("ok", said)]


def test_a_pool_needs_addresses_and_away_from_here_a_token() -> None:
    assert found(cloud="http") == [("fail", "the pool has no services.")]
    assert found(cloud="http", cloud_services="https://a.example,http://localhost:1") == [
        ("warn", "https://a.example would be asked without a token, and refuses that.")
    ]


def test_google_pushes_to_https_with_a_token_and_costs_money() -> None:
    assert found(cloud_project="p", cloud_services="http://a.example") == [
        ("fail", "Pub/Sub does not push to http://a.example."),
        ("warn", "no service account is named for the pushes, and the service takes none without."),
        ("warn", "nothing caps what a day's overflow may cost."),
    ]


def test_an_answer_is_waited_for_as_long_as_a_job_may_run() -> None:
    ((level, detail),) = found(cloud_timeout_s=10, job_timeout_s=60)
    assert level == "warn"
    assert "10 s" in detail
    assert found(cloud="none", cloud_timeout_s=10, job_timeout_s=60)[0][0] == "ok"


def test_every_fault_comes_with_its_remedy() -> None:
    faulty = Settings(cloud_project="p", cloud_services=(("", "http://a.example"),), cloud_timeout_s=1)
    assert all("OVERSPILL_" in finding.remedy for finding in cloud(faulty))
