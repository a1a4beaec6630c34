from typing import Any

import pytest

from bus.settings import Settings
from ui.stack.cloud import BRIDGE, EMULATOR, SERVICE, Parts, parts, service_environ, welcome

EVERYTHING = {name: f"{name} is not here (get it)" for name in (EMULATOR, SERVICE, BRIDGE)}
ALONE = Parts(bridge=True)


def test_a_stack_plays_google_itself() -> None:
    assert parts(Settings(), {}) == Parts(emulator=True, service=True, bridge=True)
    assert parts(Settings(), {}).names == {SERVICE, BRIDGE}


@pytest.mark.parametrize(
    ("given", "wanted"),
    [
        ({"cloud_project": "photos-123"}, ALONE),
        ({"pubsub_emulator_host": "elsewhere:8085"}, ALONE),
        ({"cloud": "http", "cloud_services": "https://pool.example"}, ALONE),
        ({"cloud_services": "http://127.0.0.1:9000"}, Parts(emulator=True, bridge=True)),
    ],
    ids=["Google's own", "another emulator", "a pool", "another service"],
)
def test_what_the_settings_name_is_not_started(given: dict[str, Any], wanted: Parts) -> None:
    needed = {name: EVERYTHING[name] for name in (EMULATOR, SERVICE) if not (wanted.emulator and name == EMULATOR)}

    assert parts(Settings(**given), needed) == wanted


def test_what_is_missing_is_said_in_a_line_each_with_its_remedy() -> None:
    found = parts(Settings(), {EMULATOR: "no emulator (get one)", SERVICE: "no starlette (pip it)"})

    assert found == Parts(
        lacking=(
            "no cloud: no emulator (get one); until then jobs wait for the VMs",
            "no cloud: no starlette (pip it); until then jobs wait for the VMs",
        )
    )
    assert not found.names


def test_what_the_service_and_the_bridge_both_lack_is_said_once() -> None:
    both = {SERVICE: "no httpx (pip it all)", BRIDGE: "no httpx (pip a part)"}

    assert parts(Settings(), both).lacking == ("no cloud: no httpx (pip it all); until then jobs wait for the VMs",)
    assert "pip a part" in "".join(parts(Settings(cloud_project="p"), both).lacking)


def test_what_is_missing_and_not_needed_is_not_said() -> None:
    assert parts(Settings(cloud_project="p"), {EMULATOR: "x", SERVICE: "y"}).lacking == ()
    assert parts(Settings(cloud_project="p"), {BRIDGE: "no httpx (pip it)"}).lacking


def test_a_cloud_that_is_turned_off_is_said_to_be() -> None:
    assert "OVERSPILL_CLOUD=none" in "".join(parts(Settings(cloud="none"), EVERYTHING).lacking)
    assert len(parts(Settings(cloud="none"), EVERYTHING).lacking) == 1


def test_a_pool_without_addresses_is_none() -> None:
    assert "OVERSPILL_CLOUD_SERVICES" in "".join(parts(Settings(cloud="http"), {}).lacking)


def test_the_service_of_a_stack_answers_nobody_elsewhere() -> None:
    chosen = service_environ(4000)

    assert chosen["OVERSPILL_SERVICE_HOST"] == "127.0.0.1"
    assert chosen["PORT"] == "4000"


def test_the_welcome_says_where_jobs_overflow_to_and_what_is_late() -> None:
    played = Settings(pubsub_emulator_host="e:1", cloud_project="overspill", cloud_services=(("", "http://s:2"),))
    pool = Settings(cloud="http", cloud_services=(("sketch", "http://a"), ("", "http://b")))

    assert welcome(ALONE, played, frozenset()) == ("cloud    e:1 -> http://s:2",)
    assert welcome(ALONE, pool, frozenset()) == ("cloud    http://a, http://b",)
    assert welcome(ALONE, Settings(cloud_project="p"), frozenset({"vm1", BRIDGE})) == (
        "cloud    p; not ready yet: bridge, vm1",
    )
    assert welcome(Parts(), played, frozenset()) == ()
