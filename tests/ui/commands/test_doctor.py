"""`overspill doctor`, for real."""

from pathlib import Path

import pytest

from tests.ui.commands.conftest import Overspill
from ui.commands.doctor import emulator_jar, has_plugins


@pytest.mark.broker
def test_a_machine_with_a_broker(overspill: Overspill, amqp_url: str) -> None:
    ran = overspill("doctor", url=amqp_url)
    assert ran.returncode == 0, ran.stdout
    assert "ok    broker: answers at" in ran.stdout
    assert "ok    operation sketch: loads and runs here" in ran.stdout
    assert "FAIL" not in ran.stdout


@pytest.mark.journey
def test_a_broker_that_does_not_answer_fails(overspill: Overspill) -> None:
    ran = overspill("doctor", url="amqp://127.0.0.1:1")
    assert ran.returncode == 1
    assert "FAIL  broker: No broker answers at 127.0.0.1:1" in ran.stdout
    assert "correct AMQP_URL" in ran.stdout


def test_the_emulator_is_found_beside_gcloud(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    gcloud = tmp_path / "bin" / "gcloud"
    gcloud.touch()
    assert emulator_jar(None) is None
    assert emulator_jar(str(gcloud)) is None
    lib = tmp_path / "platform" / "pubsub-emulator" / "lib"
    lib.mkdir(parents=True)
    (lib / "cloud-pubsub-emulator-0.8.20-all.jar").touch()
    (tmp_path / "link").symlink_to(gcloud)
    assert emulator_jar(str(tmp_path / "link")) == str(lib / "cloud-pubsub-emulator-0.8.20-all.jar")


def test_plugins_are_found_where_packages_put_them(tmp_path: Path) -> None:
    assert not has_plugins(tmp_path)
    (tmp_path / "lib" / "rabbitmq_server-4.0.5" / "plugins" / "rabbitmq_consistent_hash_exchange-4.0.5").mkdir(
        parents=True
    )
    assert has_plugins(tmp_path)
