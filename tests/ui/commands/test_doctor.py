"""`overspill doctor`, for real."""

from dataclasses import replace
from pathlib import Path

import pytest

from bus.settings import Settings
from tests.ui.commands.conftest import Overspill
from ui.commands.doctor import examine, has_plugins
from ui.commands.findings import Finding
from ui.stack import state


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


def test_a_blob_store_is_tried_and_left_as_it_was(tmp_path: Path) -> None:
    assert of_blobs(tmp_path / "blobs").level == "ok"
    assert not [path for path in (tmp_path / "blobs").rglob("*") if path.is_file()]


def test_a_blob_store_that_does_not_work_fails(tmp_path: Path) -> None:
    (tmp_path / "blobs").touch()
    finding = of_blobs(tmp_path / "blobs")
    assert finding.level == "fail"
    assert "blobs" in finding.detail


def of_blobs(folder: Path) -> Finding:
    chosen = Settings(blobs=f"file://{folder}", state_dir=folder.parent)
    return next(finding for finding in examine(chosen) if finding.subject == "blob store")


def test_an_emulator_that_does_not_answer_fails(tmp_path: Path) -> None:
    chosen = Settings(pubsub_emulator_host="127.0.0.1:1", state_dir=tmp_path)
    found = [finding for finding in examine(chosen) if finding.subject == "Pub/Sub emulator"]
    assert (found[0].level, found[0].detail) == ("fail", "none answers at 127.0.0.1:1.")


def test_the_page_of_a_running_stack_is_asked_whether_it_is_ready(tmp_path: Path) -> None:
    state.write(tmp_path, replace(state.ours(), environ={"PAGE_URL": "http://127.0.0.1:1"}))
    found = next(finding for finding in examine(Settings(state_dir=tmp_path)) if finding.subject == "page")
    assert (found.level, found.detail) == ("fail", "does not say at http://127.0.0.1:1/ready that it is ready.")


def test_plugins_are_found_where_packages_put_them(tmp_path: Path) -> None:
    assert not has_plugins(tmp_path)
    (tmp_path / "lib" / "rabbitmq_server-4.0.5" / "plugins" / "rabbitmq_consistent_hash_exchange-4.0.5").mkdir(
        parents=True
    )
    assert has_plugins(tmp_path)
