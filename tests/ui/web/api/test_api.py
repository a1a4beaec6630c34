"""The API against its own document: what it answers is what it says it may answer."""

import subprocess
import sys
from pathlib import Path

import httpx

from tests.needed import need_package
from tests.ui.web.api.house import House

CHECKS = (
    "not_a_server_error",
    "status_code_conformance",
    "content_type_conformance",
    "response_headers_conformance",
    "response_schema_conformance",
    "unsupported_method",
    "ignored_auth",
)
# Streams don't end, and orders wait for a router's word, which nobody gives here.
LEFT_OUT = "/events$|^/vms/|^/operations/"


def test_nothing_that_is_sent_is_answered_with_a_surprise(house: House, tmp_path: Path) -> None:
    need_package("schemathesis", "dev")
    token = house.token("fuzzer", "operator")
    ran = subprocess.run(
        [
            *(Path(sys.executable).with_name("schemathesis"), "run", f"{house.url}/api/v1/openapi.json"),
            *("--url", f"{house.url}/api/v1", "-H", f"Authorization: Bearer {token}"),
            *("--checks", ",".join(CHECKS), "--exclude-path-regex", LEFT_OUT, "--phases", "examples,coverage,fuzzing"),
            *("--max-examples", "4", "--max-time", "25", "--suppress-health-check", "all", "--warnings", "off"),
            *("--generation-database", "none", "--no-color"),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=110,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout[-6000:] + ran.stderr[-2000:]
    assert " passed" in ran.stdout


def test_the_document_tells_every_route_with_its_errors(house: House) -> None:
    with house.client() as nobody:
        document = nobody.get("/api/v1/openapi.json").json()
    assert document["openapi"].startswith("3.1")
    for path, operations in document["paths"].items():
        for method, operation in operations.items():
            told = operation["responses"]
            assert {"401", "403", "429", "500", "503"} <= told.keys(), f"{method} {path}"
            for status in (status for status in told if status >= "400"):
                assert list(told[status]["content"]) == ["application/problem+json"], f"{method} {path} {status}"


def test_nobody_gets_past_any_route(house: House) -> None:
    with house.client() as nobody:
        document = nobody.get("/api/v1/openapi.json").json()
        for path, operations in document["paths"].items():
            for method in operations:
                answer = nobody.request(method, "/api/v1" + path.replace("{", "").replace("}", ""))
                assert answer.status_code == 401, f"{method} {path}"


def test_what_is_not_there_is_said_as_a_problem(anna: httpx.Client) -> None:
    for method, path, status in (("GET", "/nowhere", 404), ("PUT", "/jobs", 405), ("GET", "/jobs/", 404)):
        answer = anna.request(method, f"/api/v1{path}")
        assert answer.status_code == status
        assert answer.headers["content-type"] == "application/problem+json"
    assert anna.put("/api/v1/jobs").headers["allow"] == "GET, HEAD, POST"
