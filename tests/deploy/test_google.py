"""deploy/google: its scripts run with a stand-in for gcloud, and gcloud itself reads each command they gave."""

import json
import os
import shutil
import subprocess
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from bridge.pubsub.resources import Resources, wanted
from bus.service_addresses import services_of
from bus.settings import NAMED_BY_OTHERS, Settings
from bus.topology import OPERATIONS
from tests.needed import lacking, need_program

GOOGLE = Path(__file__).parents[2] / "deploy" / "google"
READER = Path(__file__).with_name("gcloud_reads.py")
PUSHER = "overspill-pusher@my-project.iam.gserviceaccount.com"

# Notes what it is asked, an argument a field; `describe` finds only what $EXISTS says.
GCLOUD = r"""#!/bin/sh
{ printf '%s\037' "$@"; echo; } >>"$NOTES"
case "$*" in
*projectNumber*) echo 123456789 ;;
*status.url*) echo https://overspill-123456789.europe-west1.run.app ;;
*" replace "*) cp "$6" "$APPLIED" ;;
*" describe "*) [ "$EXISTS" = yes ] ;;
esac
"""
OVERSPILL = r"""#!/bin/sh
printf 'overspill\037%s\037%s\n' "$*" "$(env | grep ^OVERSPILL_CLOUD | sort | tr '\n' '\037')" >>"$NOTES"
"""


@dataclass(frozen=True)
class Ran:
    """What a script did: its commands to gcloud without `--quiet --project`, those to overspill, what it printed."""

    gcloud: list[list[str]]
    overspill: list[list[str]]
    order: list[str]
    said: str
    applied: Path

    def bindings(self) -> set[tuple[str, str, str]]:
        """(member, role, resource) of all that was granted."""
        told = (command for command in self.gcloud if "add-iam-policy-binding" in command)
        return {(_flag(command, "member"), _flag(command, "role"), _resource(command)) for command in told}


def _flag(command: list[str], name: str) -> str:
    value = next(part for part in command if part.startswith(f"--{name}="))
    return value.partition("=")[2].removeprefix("serviceAccount:").removeprefix("roles/")


def _resource(command: list[str]) -> str:
    return command[command.index("add-iam-policy-binding") + 1]


def ran(script: str, folder: Path, *, exists: bool, **variables: str) -> Ran:
    tools = folder / "tools"
    tools.mkdir()
    for name, text in (("gcloud", GCLOUD), ("overspill", OVERSPILL), ("sleep", "#!/bin/sh\n")):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
    notes, applied = folder / "notes", folder / "service.yaml"
    environment = {
        "PATH": f"{tools}:{os.defpath}",
        "NOTES": str(notes),
        "APPLIED": str(applied),
        "EXISTS": "yes" if exists else "no",
        "PROJECT": "my-project",
        "OVERSPILL": "overspill",
        **variables,
    }
    done = subprocess.run(
        ["sh", str(GOOGLE / script)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split("\x1f") for line in notes.read_text().splitlines()]
    asked = [line[:-1] for line in lines if line[0] != "overspill"]
    assert all(line[:2] == ["--quiet", "--project=my-project"] for line in asked)
    own = [line[1:] for line in lines if line[0] == "overspill"]
    return Ran([line[2:] for line in asked], own, [" ".join(line) for line in lines], done.stdout, applied)


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A first set-up, in a project where there is nothing, of all three operations."""
    need_program("sh", "the scripts are for a POSIX shell")
    folder = tmp_path_factory.mktemp("fresh")
    return ran("setup.sh", folder, exists=False, OPERATIONS="sketch,remove-background,caption", MEMORY="8Gi")


@pytest.fixture(scope="module")
def repeated(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    """A set-up where everything is there already, as its defaults are."""
    return ran("setup.sh", tmp_path_factory.mktemp("repeated"), exists=True)


@pytest.fixture(scope="module")
def removed(tmp_path_factory: pytest.TempPathFactory) -> Ran:
    return ran("teardown.sh", tmp_path_factory.mktemp("removed"), exists=True)


@cache
def sdk() -> Path:
    gcloud = shutil.which("gcloud")
    root = Path(gcloud).resolve().parents[1] if gcloud else Path()
    if not (root / "lib" / "googlecloudsdk").is_dir():
        lacking("no gcloud to read the commands of deploy/google; install the Google Cloud SDK")
    return root


def test_gcloud_understands_every_command_and_the_service(
    fresh: Ran, repeated: Ran, removed: Ran, tmp_path: Path
) -> None:
    given = [*fresh.gcloud, *repeated.gcloud, *removed.gcloud]
    # The file that is applied is gone with the script's own folder: gcloud reads the copy.
    commands = [[str(fresh.applied) if part.endswith("/service.yaml") else part for part in line] for line in given]
    unique = [list(line) for line in dict.fromkeys(map(tuple, commands))]
    assert refusals(unique, [fresh.applied], [GOOGLE / "cloudbuild.yaml"], tmp_path) == []


def test_gcloud_would_tell_of_a_mistake(fresh: Ran, tmp_path: Path) -> None:
    wrong = tmp_path / "service.yaml"
    wrong.write_text(fresh.applied.read_text().replace("containerConcurrency", "containerConcurency"))
    build = tmp_path / "cloudbuild.yaml"
    build.write_text((GOOGLE / "cloudbuild.yaml").read_text().replace("images:", "imagen:"))
    commands = [["pubsub", "topics", "add-iam-policy-binding", "overspill-dead"], ["run", "services", "replaice"]]
    assert len(refusals(commands, [wrong], [build], tmp_path)) == 4


def refusals(commands: list[list[str]], services: list[Path], builds: list[Path], folder: Path) -> list[str]:
    bundled = sdk() / "platform" / "bundledpythonunix" / "bin" / "python3"
    python = str(bundled) if bundled.exists() else "python3"
    environment = {"PATH": os.defpath, "HOME": str(folder), "CLOUDSDK_CONFIG": str(folder / "gcloud")}
    asked = json.dumps({"commands": commands, "services": [*map(str, services)], "builds": [*map(str, builds)]})
    done = subprocess.run(
        [python, str(READER), str(sdk())], input=asked, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found


def test_nothing_is_made_twice(fresh: Ran, repeated: Ran) -> None:
    assert sum("create" in command for command in fresh.gcloud) == 6
    assert [command for command in repeated.gcloud if "create" in command] == []


def test_each_account_may_do_its_own_work_and_no_more(fresh: Ran) -> None:
    home = "iam.gserviceaccount.com"
    service, bridge, builder = (f"overspill-{name}@my-project.{home}" for name in ("service", "bridge", "builder"))
    pulled = ("results", "dead")
    agent, bucket = f"service-123456789@gcp-sa-pubsub.{home}", "gs://my-project-overspill-blobs"
    assert fresh.bindings() == {
        (builder, "cloudbuild.builds.builder", "my-project"),
        (service, "storage.objectCreator", bucket),
        (service, "storage.objectViewer", bucket),
        (bridge, "storage.objectUser", bucket),
        (agent, "iam.serviceAccountTokenCreator", PUSHER),
        (agent, "pubsub.publisher", "overspill-dead"),
        (service, "pubsub.publisher", "overspill-results"),
        *((bridge, f"pubsub.{role}", f"overspill-{name}-pull") for role in ("subscriber", "viewer") for name in pulled),
        *((agent, "pubsub.subscriber", f"overspill-jobs-{operation}-push") for operation in OPERATIONS),
        *((bridge, "pubsub.publisher", f"overspill-jobs-{operation}") for operation in OPERATIONS),
    }


def test_nobody_unknown_is_let_in(fresh: Ran) -> None:
    assert "allUsers" not in str(fresh.gcloud)
    assert "allAuthenticatedUsers" not in str(fresh.gcloud)
    variables = environment_of(yaml.safe_load(fresh.applied.read_text()))
    assert variables["OVERSPILL_CLOUD_PUSH_ACCOUNT"] == PUSHER
    assert variables["OVERSPILL_CLOUD_AUDIENCE"] == "overspill"
    assert "OVERSPILL_CLOUD_PUSH_UNVERIFIED" not in variables
    assert "--public-access-prevention" in str(fresh.gcloud)


def test_topics_are_made_for_the_service_before_anyone_is_let_near_them(fresh: Ran) -> None:
    (init, *told), (check, *_) = fresh.overspill
    assert (init, check) == ("cloud init", "cloud check")
    settings = dict(line.split("=", 1) for line in told if line)
    address = "https://overspill-123456789.europe-west1.run.app"
    assert services_of(settings["OVERSPILL_CLOUD_SERVICES"]) == tuple((name, address) for name in OPERATIONS)
    assert settings["OVERSPILL_CLOUD_PUSH_ACCOUNT"] == PUSHER
    steps = ["run services replace", "overspill cloud init", "pubsub topics add-iam-policy-binding", "cloud check"]
    places = [next(i for i, line in enumerate(fresh.order) if step in line) for step in steps]
    assert places == sorted(places)


def test_the_service_serves_what_was_asked_for(fresh: Ran, repeated: Ran) -> None:
    all_three, two = (yaml.safe_load(run.applied.read_text()) for run in (fresh, repeated))
    assert environment_of(all_three)["OVERSPILL_OPERATIONS"] == "sketch,remove-background,caption"
    assert environment_of(two)["OVERSPILL_OPERATIONS"] == "sketch,remove-background"
    assert container(all_three)["resources"]["limits"] == {"cpu": "2", "memory": "8Gi"}
    builds = [
        next(command for command in run.gcloud if command[:2] == ["builds", "submit"]) for run in (fresh, repeated)
    ]
    assert [_flag(build, "substitutions").partition("_EXTRAS=")[2] for build in builds] == [
        "service,remove-background,caption;_MODELS=u2netp blip-image-captioning-base",
        "service,remove-background;_MODELS=u2netp",
    ]


def test_the_service_is_bounded_and_watched(repeated: Ran) -> None:
    service = yaml.safe_load(repeated.applied.read_text())
    template = service["spec"]["template"]
    assert template["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"] == "10"
    assert 1 <= template["spec"]["containerConcurrency"] <= 4
    assert str(template["spec"]["containerConcurrency"]) == environment_of(service)["OVERSPILL_SLOTS"]
    (pushed, *_) = (each for each in needed().subscriptions if each.push)
    assert template["spec"]["timeoutSeconds"] > pushed.ack_deadline_s
    assert container(service)["startupProbe"]["httpGet"]["path"] == "/ready"
    assert container(service)["livenessProbe"]["httpGet"]["path"] == "/health"
    assert "${" not in repeated.applied.read_text()


def test_every_variable_of_the_service_is_a_setting(repeated: Ran) -> None:
    known = {f"OVERSPILL_{name.upper()}" for name in Settings.model_fields} | NAMED_BY_OTHERS
    given = environment_of(yaml.safe_load(repeated.applied.read_text()))
    assert given.keys() <= known
    Settings.model_validate({name.removeprefix("OVERSPILL_").lower(): value for name, value in given.items()})


def test_the_bridge_is_told_its_settings(repeated: Ran) -> None:
    told = dict(line.split("=", 1) for line in repeated.said.splitlines() if line.startswith("OVERSPILL_"))
    assert told["OVERSPILL_CLOUD_PROJECT"] == "my-project"
    assert told["OVERSPILL_BLOBS"] == "gs://my-project-overspill-blobs"
    spec = yaml.safe_load(repeated.applied.read_text())["spec"]["template"]
    most = spec["metadata"]["annotations"]["autoscaling.knative.dev/maxScale"]
    # What finds no place on Cloud Run is answered 429, which counts as a delivery.
    assert int(told["OVERSPILL_CLOUD_IN_FLIGHT"]) == spec["spec"]["containerConcurrency"] * int(most) == 20
    assert [name for name, _ in services_of(told["OVERSPILL_CLOUD_SERVICES"])] == ["sketch", "remove-background"]


def test_what_was_made_is_removed(fresh: Ran, removed: Ran) -> None:
    names = needed()
    deleted = {" ".join(command) for command in removed.gcloud if {"delete", "rm"} & set(command)}
    accounts = [command[3] for command in fresh.gcloud if command[:3] == ["iam", "service-accounts", "create"]]
    assert {f"iam service-accounts delete {name}@my-project.iam.gserviceaccount.com" for name in accounts} <= deleted
    assert {f"pubsub topics delete {short(topic)}" for topic in names.topics} <= deleted
    assert {f"pubsub subscriptions delete {short(item.name)}" for item in names.subscriptions} <= deleted
    assert "run services delete overspill --region=europe-west1" in deleted
    assert "storage rm --recursive gs://my-project-overspill-blobs" in deleted


def test_where_nothing_is_left_there_is_nothing_to_remove(tmp_path: Path) -> None:
    gone = ran("teardown.sh", tmp_path, exists=False)
    assert [command for command in gone.gcloud if "describe" not in command] == []


def test_without_a_project_the_remedy_is_told() -> None:
    done = subprocess.run(
        ["sh", str(GOOGLE / "setup.sh")], env={"PATH": os.defpath}, capture_output=True, text=True, check=False
    )
    assert done.returncode != 0
    assert "Set PROJECT" in done.stderr


def needed() -> Resources:
    return wanted(
        Settings(cloud_project="my-project", cloud_push_account=PUSHER, cloud_services=(("", "https://a.b"),))
    )


def short(name: str) -> str:
    return name.rpartition("/")[2]


def environment_of(service: dict[str, Any]) -> dict[str, str]:
    return {item["name"]: item["value"] for item in container(service)["env"]}


def container(service: dict[str, Any]) -> dict[str, Any]:
    (only,) = service["spec"]["template"]["spec"]["containers"]
    told: dict[str, Any] = only
    return told
