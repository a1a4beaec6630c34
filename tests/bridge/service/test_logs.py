"""What the cloud service's log lines look like. Each in a process of its own: logging is the whole process's."""

import json
import subprocess
import sys

SAYS = """
import logging
from bridge.service import logs
logs.set_up("INFO", as_json={as_json})
log = logging.getLogger("bridge.test")
log.debug("not told")
logging.getLogger("httpx").info("not told")
with logs.bound(ticket="t1"):
    log.warning("%s of %d für", "one", 2)
try:
    1 / 0
except ZeroDivisionError:
    log.exception("it broke")
"""


def lines(*, as_json: bool) -> list[str]:
    command = [sys.executable, "-c", SAYS.format(as_json=as_json)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stderr.splitlines()


def test_on_cloud_run_a_line_is_one_json_object_in_cloud_loggings_words() -> None:
    warned, broke = map(json.loads, lines(as_json=True))
    assert warned.pop("time").endswith("Z")
    assert warned == {"severity": "WARNING", "message": "one of 2 für", "logger": "bridge.test", "ticket": "t1"}
    assert (broke["severity"], broke["message"]) == ("ERROR", "it broke")
    assert "ZeroDivisionError" in broke["exception"]
    assert "ticket" not in broke


def test_elsewhere_the_lines_are_those_of_all_processes() -> None:
    warned, broke, *trace = lines(as_json=False)
    assert warned.endswith("WARNING one of 2 für")
    assert broke.endswith("ERROR   it broke")
    assert "ZeroDivisionError" in trace[-1]
