"""`overspill top` for those without a terminal; with one, see tests/ui/top/test_screen.py."""

import json

import pytest

from tests.ui.commands.conftest import Overspill
from ui.top import watch


@pytest.mark.journey
def test_one_frame_is_printed(here: Overspill, fleet: str) -> None:
    for arguments in (("top", "--once"), ("top",)):
        ran = here(*arguments, url=fleet)
        assert (ran.returncode, ran.stderr) == (0, "")
        assert "vm1 " in ran.stdout
        assert "Router  " in ran.stdout
        assert "Waiting lanes 0" in ran.stdout
        assert "\x1b" not in ran.stdout


@pytest.mark.journey
def test_programs_get_one_object(here: Overspill, fleet: str) -> None:
    told = json.loads(here("top", "--json", url=fleet).stdout)
    assert [vm["name"] for vm in told["vms"]] == ["vm1"]
    assert told["queues"]["lanes"] == 0
    assert told["rates"][0]["operation"] == "all"


@pytest.mark.broker
def test_without_a_broker_it_says_so(here: Overspill, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(watch, "CONNECT_WITHIN_S", 0.1)
    ran = here("top", "--once", url="amqp://127.0.0.1:1")
    assert (ran.returncode, ran.stdout) == (1, "")
    assert "AMQP_URL" in ran.stderr
