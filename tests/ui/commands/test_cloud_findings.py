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


def test_a_pool_costs_nothing_so_no_price_caps_it() -> None:
    ((level, detail),) = found(cloud="http", cloud_services="http://localhost:1", cloud_money_per_day=5)
    assert (level, "no cap in US dollars acts" in detail) == ("warn", True)


def test_an_emulators_pushes_come_without_a_token() -> None:
    account = SAFE["cloud_push_account"]
    ((level, detail),) = found(pubsub_emulator_host="e:1", cloud_push_account=account)
    assert (level, "come without its tokens" in detail) == ("warn", True)


def test_what_lies_in_a_folder_is_out_of_the_clouds_reach() -> None:
    assert found(**GOOGLE, **SAFE, blobs="file:///srv/blobs") == [
        ("warn", "it can't read file:///srv/blobs: what is too large for a message stays with the VMs.")
    ]
    assert found(**GOOGLE, **SAFE, blobs="gs://bucket")[0][0] == "ok"


def test_a_picture_is_kept_for_as_long_as_the_cloud_is_waited_for() -> None:
    ((level, detail),) = found(blobs="gs://bucket", blobs_kept_s=60)
    assert (level, detail) == (
        "warn",
        "the blob store keeps pictures for 60 s; the cloud's answer is waited for 300 s.",
    )
    assert found(blobs="gs://bucket", blobs_kept_s=300)[0][0] == "ok"
    assert found(blobs="gs://bucket", blobs_kept_s=60, cloud="none")[0][0] == "ok"


def test_no_run_may_take_longer_than_a_push() -> None:
    times = {"job_timeout_s": 541, "cloud_timeout_s": 600}
    ((level, detail),) = found(**times)
    assert (level, "541 s" in detail, "once more" in detail) == ("warn", True, True)
    assert found(**times | {"job_timeout_s": 540})[0][0] == "ok"
    assert found(cloud="http", cloud_services="http://localhost:1", **times)[0][0] == "ok"


def test_an_answer_is_waited_for_as_long_as_a_job_may_run() -> None:
    ((level, detail),) = found(cloud_timeout_s=10, job_timeout_s=60)
    assert level == "warn"
    assert "10 s" in detail
    assert found(cloud="none", cloud_timeout_s=10, job_timeout_s=60)[0][0] == "ok"


def test_every_fault_comes_with_its_remedy() -> None:
    common: dict[str, Any] = {
        "cloud_services": (("", "http://a.example"),),
        "cloud_timeout_s": 570,
        "job_timeout_s": 571,
    }
    common |= {"blobs": "file:///srv", "blobs_kept_s": 60}
    google = Settings(cloud_project="p", **common)
    pool = Settings(cloud="http", cloud_money_per_day=1, **common)
    emulator = Settings(pubsub_emulator_host="e:1", cloud_push_account="a@b.example", **common)
    for faulty, faults in ((google, 7), (pool, 5), (emulator, 4)):
        findings = cloud(faulty)
        assert len(findings) == faults
        assert all("OVERSPILL_" in finding.remedy for finding in findings)
