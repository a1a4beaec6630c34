"""The far side of an HTTP pool under a test's command: a service that speaks `/v1` and `/ready`."""

import json
import re
from email.parser import BytesParser

from bridge.cloud import Cloud
from bridge.pool.http_pool import HttpPool, Patience
from bridge.pool.memory import Memory
from bus.messages import Job
from bus.problems import PROBLEM_JSON, Kind, Problem
from bus.settings import Settings
from bus.topology import OPERATIONS
from tests.bridge.cloud_suite import BREAKS, NOT_SERVED, Said, Stand
from tests.bridge.tiny_http import Request, TinyHttp, response

HURRIED = Patience(connect_s=2.0, over_s=0.3, rest_s=0.05, look_s=0.5, tick_s=0.02, again_s=0.05)
"""Seconds of waiting that a test can spare."""
READY = {"operations": list(OPERATIONS), "not_served": {}, "slots": 2}
NOT_OURS = Problem.of(Kind.UNKNOWN_OPERATION, "There is no such operation here.")


class HttpStand(Stand):
    """One service, by itself or among others."""

    def __init__(self) -> None:
        super().__init__()
        self.service = TinyHttp(self.handle)
        self.ready: bytes = said_ready(READY)
        self.posts: list[Request] = []

    async def handle(self, request: Request) -> bytes:
        if request.path == "/ready":
            return self.ready
        self.posts.append(request)
        return said(await self.reply(*job_of(request)))

    def cloud(self) -> Cloud:
        return pool(self.service.url)


def pool(*urls: str, patience: Patience = HURRIED, memory: Memory | None = None, **settings: object) -> HttpPool:
    services = tuple(tuple(url.split("=")) if "=" in url else ("", url) for url in urls)
    given = {"cloud": "http", "cloud_services": services, "job_timeout_s": 20.0, **settings}
    return HttpPool(Settings.model_validate(given), patience, memory)


def said_ready(told: dict[str, object]) -> bytes:
    return response(200, json.dumps(told).encode(), content_type="application/json")


def said(reply: Said) -> bytes:
    """What a service's word to a job is in HTTP."""
    if reply == BREAKS:
        return response(500, b"Internal Server Error", content_type="text/plain")
    if reply == NOT_SERVED or isinstance(reply, str):
        return response(404, NOT_OURS.to_json(), content_type=PROBLEM_JSON)
    told = {"x_overspill_vm": reply.vm, "x_overspill_model": reply.model, "x_overspill_ran_ms": str(reply.ran_ms)}
    problem = Problem.model_validate_json(reply.body) if reply.content_type == PROBLEM_JSON else None
    return response(problem.status if problem else 200, reply.body, content_type=reply.content_type, **told)


def job_of(request: Request) -> tuple[Job, str | None]:
    """The job that a request to `/v1/<operation>` is, and its link."""
    headers, body, params = request.headers, request.body, request.headers.get("params")
    if headers["content-type"].startswith("multipart/form-data"):
        parts = form_of(request)
        body, params = parts["image"], parts["params"].decode()
    job = Job.model_validate(
        {
            "id": "posted",
            "operation": request.path.removeprefix("/v1/"),
            "body": body,
            "params": params,
            "deadline_ms": headers.get("deadline-ms"),
            "traceparent": headers.get("traceparent"),
            "claim": headers.get("claim"),
        }
    )
    return job, headers.get("link")


def form_of(request: Request) -> dict[str, bytes]:
    """The fields of a form, by the standard library's reader of mail."""
    head = f"content-type: {request.headers['content-type']}\r\n\r\n".encode()
    named = {}
    for part in BytesParser().parsebytes(head + request.body).walk():
        name = re.search(r'name="(\w+)"', str(part["content-disposition"]))
        payload = part.get_payload(decode=True)
        if name and isinstance(payload, bytes):
            named[name[1]] = payload
    return named
