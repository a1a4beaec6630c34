"""What a program asks, in few words."""

import time
from typing import Any

import httpx

from tests.ui.web.api.house import RESULT

PHOTO = RESULT
_QUERY = {"operation", "params", "site", "priority", "name"}


def submit(client: httpx.Client, **given: Any) -> httpx.Response:
    """Hand in a raw picture, for `sketch` unless something else is asked."""
    query = {"operation": "sketch"} | {name: value for name, value in given.items() if name in _QUERY}
    return client.post("/api/v1/jobs", content=given.get("content", PHOTO), params=query, headers=given.get("headers"))


def ended(client: httpx.Client, job_id: str) -> dict[str, Any]:
    """The job, once it has ended."""
    for _ in range(400):
        job: dict[str, Any] = client.get(f"/api/v1/jobs/{job_id}").json()
        if job["ended_ms"] is not None:
            return job
        time.sleep(0.02)
    raise AssertionError(f"{job} has not ended")
