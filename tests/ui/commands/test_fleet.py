"""`overspill status` on a real broker."""

import json

import pytest

from tests.ui.commands.conftest import Overspill
from ui.fleet.look import NO_ROUTER, NO_VM


@pytest.mark.journey
def test_the_fleet_is_shown(overspill: Overspill, fleet: str) -> None:
    ran = overspill("status", url=fleet)
    assert (ran.returncode, ran.stderr) == (0, "")
    assert "vm1" in ran.stdout
    assert NO_ROUTER not in ran.stdout


@pytest.mark.journey
def test_programs_get_json(overspill: Overspill, fleet: str) -> None:
    told = json.loads(overspill("status", "--json", url=fleet).stdout)
    assert [vm["name"] for vm in told["vms"]] == ["vm1"]
    assert len(told["routers"]) == 1
    assert told["queues"]["lanes"] == 0


@pytest.mark.broker
def test_a_broker_with_nobody_there(overspill: Overspill, amqp_url: str) -> None:
    ran = overspill("status", url=amqp_url)
    assert ran.returncode == 0
    assert NO_ROUTER in ran.stdout
    assert NO_VM in ran.stdout


@pytest.mark.journey
@pytest.mark.parametrize("url", [None, "amqp://127.0.0.1:1"])
def test_no_broker(overspill: Overspill, url: str | None) -> None:
    ran = overspill("status", url=url)
    assert ran.returncode == 1
    assert "AMQP_URL" in ran.stderr
    assert len(ran.stderr.splitlines()) == 1
