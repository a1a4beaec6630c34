"""What the doctor makes of what it sees."""

import pytest

from bus.settings import MIB, Settings
from ui.commands import findings
from ui.commands.findings import Finding


@pytest.mark.parametrize(
    ("finding", "level"),
    [
        (findings.python((3, 11, 2)), "ok"),
        (findings.python((3, 10, 9)), "fail"),
        (findings.packages("vm", []), "ok"),
        (findings.packages("vm", ["cv2"]), "warn"),
        (findings.broker("here", None), "ok"),
        (findings.broker("", "No broker answers. Start it."), "fail"),
        (findings.private_broker(None, has_plugin=True), "ok"),
        (findings.private_broker(None, has_plugin=False), "fail"),
        (findings.private_broker("RabbitMQ isn't installed. Install it.", has_plugin=False), "fail"),
        (findings.emulator("x.jar", None), "ok"),
        (findings.emulator("", "The emulator lacks Java. Get it."), "warn"),
        (findings.blobs(None, None, 16 * MIB), "ok"),
        (findings.blobs("file:///b", None, 16 * MIB), "ok"),
        (findings.blobs("gs://b", "refused", 16 * MIB), "fail"),
        (findings.disk("/", 100 * MIB), "fail"),
        (findings.disk("/", 1000 * MIB), "warn"),
        (findings.disk("/", 9000 * MIB), "ok"),
        (findings.ports(None), "ok"),
        (findings.ports("No free port. Stop what listens."), "fail"),
    ],
)
def test_how_grave_it_is(finding: Finding, level: str) -> None:
    assert finding.level == level
    assert finding.detail


def test_what_is_lacking_is_named_with_its_remedy() -> None:
    assert findings.packages("vm", ["cv2"]).remedy == "pip install 'overspill[vm]'"
    assert findings.packages("service", ["uvicorn"]).detail.endswith("only needed where the cloud service runs.")
    lacking = findings.emulator("", "The emulator lacks Java. Run `apt-get install x`, or set Y.")
    assert lacking.detail == "The emulator lacks Java; only needed to try the cloud path here."
    assert lacking.remedy == "Run `apt-get install x`, or set Y."
    assert "3.10.9 is too old" in findings.python((3, 10, 9)).detail


def test_operations_not_served_fail_only_when_none_is() -> None:
    some = findings.operations(["sketch"], {"caption": "pip install it"})
    none = findings.operations([], {"caption": "pip install it"})
    assert [finding.level for finding in some] == ["ok", "warn"]
    assert [finding.level for finding in none] == ["fail"]
    assert none[0].remedy == "pip install it"


def test_times_that_do_not_fit() -> None:
    assert [finding.level for finding in findings.time_outs(Settings())] == ["ok"]
    patient = Settings(job_timeout_s=1000, look_ahead=1, beat_interval_s=0.1)
    assert [finding.level for finding in findings.time_outs(patient)] == ["fail", "warn"]


def test_failing_is_what_fails_the_examination() -> None:
    assert not findings.failed([findings.ports(None), findings.packages("vm", ["cv2"])])
    assert findings.failed([findings.ports(None), findings.ports("none")])
