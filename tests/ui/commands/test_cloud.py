"""`overspill cloud init`, `cloud check` and the processes of the overflow, as a person runs them."""

import uuid
from pathlib import Path

import pytest

from tests.needed import need_package
from tests.ui.commands.conftest import Overspill
from ui.stack.emulator import PubSubEmulator
from ui.stack.processes import free_port

need_package("google.cloud.pubsub_v1", "bridge")


def configure(folder: Path, **settings: str) -> None:
    """Write the settings file that the command finds in the folder it runs in."""
    (folder / "overspill.toml").write_text("".join(f'{name} = "{value}"\n' for name, value in settings.items()))


@pytest.fixture
def emulated(pubsub_emulator: PubSubEmulator, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A project of the test's own on the emulator, and a service that is not there."""
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", pubsub_emulator.host)
    project = f"test-{uuid.uuid4().hex[:12]}"
    configure(tmp_path, cloud_project=project, cloud_services="sketch=http://127.0.0.1:9")


@pytest.mark.usefixtures("emulated")
def test_init_makes_what_check_misses_and_check_names_the_silent_service(overspill: Overspill) -> None:
    missing = overspill("cloud", "check")
    assert missing.returncode == 1
    assert "FAIL  topic overspill-jobs-sketch: is not there\n      -> Run `overspill cloud init`." in missing.stdout
    assert "trial" not in missing.stdout

    made = overspill("cloud", "init")
    assert (made.returncode, made.stderr) == (0, "")
    assert "topic overspill-jobs-sketch: created" in made.stdout.splitlines()
    assert "subscription overspill-jobs-sketch-push: created" in made.stdout.splitlines()
    assert {line.rpartition(": ")[2] for line in overspill("cloud", "init").stdout.splitlines()} == {"there"}

    tried = overspill("cloud", "check", "--seconds", "1")
    assert tried.returncode == 1
    assert "ok    subscription overspill-jobs-sketch-push: as it should be" in tried.stdout
    assert "FAIL  trial sketch: no answer within 1 s" in tried.stdout
    assert "http://127.0.0.1:9" in tried.stdout


@pytest.mark.usefixtures("emulated")
def test_without_services_init_says_that_nothing_is_pushed(overspill: Overspill, tmp_path: Path) -> None:
    configure(tmp_path, cloud_project=f"test-{uuid.uuid4().hex[:12]}")

    made = overspill("cloud", "init")

    assert made.returncode == 0
    assert "name the services in OVERSPILL_CLOUD_SERVICES" in made.stdout


@pytest.mark.parametrize(
    ("command", "settings", "said"),
    [
        ("init", {"cloud": "http"}, "OVERSPILL_CLOUD is http"),
        ("init", {}, "set OVERSPILL_CLOUD_PROJECT"),
        (
            "check",
            {"cloud_project": "p", "cloud_services": "https://s.example"},
            "set OVERSPILL_CLOUD_PUSH_ACCOUNT",
        ),
    ],
    ids=["another cloud", "no project", "no account"],
)
def test_what_is_missing_in_the_settings_is_named(
    overspill: Overspill,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    command: str,
    settings: dict[str, str],
    said: str,
) -> None:
    monkeypatch.delenv("PUBSUB_EMULATOR_HOST", raising=False)
    configure(tmp_path, **settings)

    ran = overspill("cloud", command)

    assert ran.returncode == 1
    assert said in ran.stderr


@pytest.mark.parametrize("command", ["init", "check"])
def test_an_emulator_that_does_not_answer_is_said_once(
    overspill: Overspill, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    address = f"127.0.0.1:{free_port()}"
    monkeypatch.setenv("PUBSUB_EMULATOR_HOST", address)
    configure(tmp_path, cloud_project="p")

    ran = overspill("cloud", command)

    assert (ran.returncode, ran.stdout) == (1, "")
    assert f"No emulator answers at {address}: start it, or unset PUBSUB_EMULATOR_HOST." in ran.stderr


def test_a_bridge_without_a_broker_names_the_remedy(overspill: Overspill) -> None:
    ran = overspill("bridge")

    assert ran.returncode == 1
    assert "set AMQP_URL" in ran.stderr


@pytest.mark.parametrize("command", ["bridge", "cloud-service"])
def test_the_processes_of_the_overflow_are_commands(overspill: Overspill, command: str) -> None:
    assert overspill(command, "--help").returncode == 0
