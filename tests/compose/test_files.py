"""The Dockerfile, compose.yaml and what lies beside them, read without an engine."""

import importlib.util
import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
import yaml

from bus.settings import MIB, Settings

PROJECT = Path(__file__).parents[2]
COMPOSE = yaml.safe_load((PROJECT / "compose.yaml").read_text())
SERVICES: dict[str, Any] = COMPOSE["services"]
OURS = [name for name in SERVICES if name not in {"rabbitmq", "pubsub"}]
DOCKERFILE = (PROJECT / "Dockerfile").read_text()


def requirements(pyproject: str, extras: str) -> list[str]:
    """The function of that name in the script that the Dockerfile runs."""
    spec = importlib.util.spec_from_file_location("requirements", PROJECT / "deploy/compose/requirements.py")
    assert spec is not None
    assert spec.loader is not None
    script = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(script)
    listed: list[str] = script.requirements(pyproject, extras)
    return listed


def test_the_requirements_are_the_dependencies_and_the_extras_named() -> None:
    project = '[project]\nname = "p"\ndependencies = ["a"]\n'
    pyproject = project + 'optional-dependencies = {x = ["b>=2", "c"], y = ["d"], z = ["p[x]", "e"]}'
    assert requirements(project, "") == ["a"]
    assert requirements(pyproject, "x,y") == ["a", "b>=2", "c", "d"]
    with pytest.raises(KeyError, match="w"):
        requirements(pyproject, "w")


def test_an_extra_may_name_another_of_the_same_project() -> None:
    pyproject = '[project]\nname = "p"\ndependencies = ["a"]\noptional-dependencies = {x = ["b"], z = ["p[x]", "e"]}'
    assert requirements(pyproject, "x,z") == ["a", "b", "e"]


@pytest.mark.parametrize("name", SERVICES)
def test_every_service_is_watched_confined_and_started_again(name: str) -> None:
    service = SERVICES[name]
    assert service["healthcheck"]["test"][0] == "CMD"
    assert service["restart"] == "unless-stopped"
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["stop_grace_period"]


@pytest.mark.parametrize("name", OURS)
def test_our_own_services_are_read_only_and_limited(name: str) -> None:
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["deploy"]["resources"]["limits"].keys() == {"cpus", "memory", "pids"}


def test_of_ours_the_page_alone_has_a_way_out() -> None:
    assert [name for name in OURS if not set(SERVICES[name]["networks"]) <= {"bus", "cloud"}] == ["page"]


def test_what_the_page_keeps_is_in_a_volume_and_it_lets_nobody_in_without_an_account() -> None:
    page = SERVICES["page"]
    assert page["volumes"] == [f"page:{page['environment']['OVERSPILL_PAGE_DIR']}"]
    assert page["environment"]["OVERSPILL_PAGE_LOGIN"].endswith(":-accounts}")
    assert f"/dev/tcp/127.0.0.1/{Settings.model_fields['page_port'].default} " in page["healthcheck"]["test"][-1]


@pytest.mark.parametrize("name", OURS)
def test_whoever_needs_a_server_waits_for_it(name: str) -> None:
    needed = {"bus": "rabbitmq", "cloud": "pubsub"}
    servers = {server for network, server in needed.items() if network in SERVICES[name]["networks"]}
    assert SERVICES[name]["depends_on"] == {server: {"condition": "service_healthy"} for server in servers}


def test_what_stands_in_for_the_cloud_has_no_way_to_the_broker() -> None:
    assert {name for name, service in SERVICES.items() if {"bus", "cloud"} <= set(service["networks"])} == {"bridge"}
    assert "AMQP_URL" not in SERVICES["cloud-service"]["environment"]


def test_the_internal_networks_are_internal() -> None:
    assert COMPOSE["networks"]["bus"] == {"internal": True}
    assert COMPOSE["networks"]["cloud"] == {"internal": True}


def test_ports_are_published_on_loopback_alone() -> None:
    published = {name: service["ports"] for name, service in SERVICES.items() if "ports" in service}
    assert published.keys() == {"rabbitmq", "page"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_a_vm_may_end_its_longest_job_before_it_is_stopped() -> None:
    grace_s = float(SERVICES["vm1"]["stop_grace_period"].removesuffix("s"))
    assert grace_s > Settings.model_fields["job_timeout_s"].default


def test_vms_differ_in_their_names_alone() -> None:
    vm1, vm2 = SERVICES["vm1"], SERVICES["vm2"]
    differing = {key for key in vm1.keys() | vm2.keys() if vm1.get(key) != vm2.get(key)}
    assert differing == {"build", "pull_policy", "environment"}
    assert vm1["environment"] | {"OVERSPILL_VM_NAME": "vm2"} == vm2["environment"]


def test_settings_passed_on_are_settings() -> None:
    given = {name for service in SERVICES.values() for name in service.get("environment", {})}
    ours = {name.removeprefix("OVERSPILL_").lower() for name in given if name.startswith("OVERSPILL_")}
    assert ours <= Settings.model_fields.keys()


@pytest.mark.parametrize("name", OURS)
def test_every_service_may_write_json_lines_and_send_traces(name: str) -> None:
    service = SERVICES[name]
    assert {"OTEL_EXPORTER_OTLP_ENDPOINT", "OVERSPILL_LOG_FORMAT"} <= service["environment"].keys()
    built = [
        each["build"]["args"] for each in SERVICES.values() if each["image"] == service["image"] and "build" in each
    ]
    assert ["traces" in args["EXTRAS"].split(",") for args in built] == [True]


def test_the_broker_takes_a_picture_over_the_limit_so_that_it_can_be_answered() -> None:
    conf = (PROJECT / "deploy/compose/rabbitmq.conf").read_text()
    limit = int(re.findall(r"^max_message_size = (\d+)$", conf, re.MULTILINE)[0])
    assert limit > Settings.model_fields["max_image_bytes"].default
    assert limit == 64 * MIB


def test_the_broker_has_the_plugins_that_the_topology_needs() -> None:
    assert "rabbitmq_consistent_hash_exchange" in (PROJECT / "deploy/compose/enabled_plugins").read_text()


def test_all_packages_of_the_wheel_are_in_the_build_context() -> None:
    pyproject = tomllib.loads((PROJECT / "pyproject.toml").read_text())
    packages = pyproject["tool"]["hatch"]["build"]["targets"]["wheel"]["packages"]
    kept = set((PROJECT / ".dockerignore").read_text().split("\n"))
    assert {f"!{package}" for package in packages} <= kept


def test_no_address_of_a_mirror_is_in_the_files() -> None:
    assert "://" not in DOCKERFILE
    addresses = set(re.findall(r"\w+://[^$\s]*", (PROJECT / "compose.yaml").read_text()))
    assert addresses == {"amqp://overspill:", "http://cloud-service:8080"}
