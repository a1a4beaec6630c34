"""The cloud service: what Cloud Run runs. Takes jobs by Pub/Sub's push and over plain HTTP, and computes as a VM does.

docs/cloud-service.md tells its HTTP interface.
"""

import asyncio
import contextlib
import logging
import socket
import uuid
from collections.abc import Iterator
from typing import Any, Final

import uvicorn
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from bridge.envelope import Parcel, read_push
from bridge.service.callers import Callers
from bridge.service.computing import Computing, ComputingConfig, NotServed
from bridge.service.faults import ALWAYS, HANDLED, on_error, on_surprise, problem_response
from bridge.service.publishing import PubSubResults, Results
from bridge.service.pushes import Pushes
from bridge.service.uploads import Upload, Uploads
from bus.errors import BadInput, SetupError
from bus.messages import Job, check_one_picture
from bus.problems import Kind, Problem, bad_field
from bus.settings import MIB, Settings
from bus.topology import OPERATIONS
from bus.trace_context import trace_of
from consumers.answers import Kept, problem_of
from consumers.claims import Claims
from telemetry import hops, metrics, observed, process
from telemetry.logs import bound
from telemetry.machine import Machine

log = logging.getLogger(__name__)

PUSH_BYTES: Final = 15_000_000
"""The largest push: 10,000,000 bytes are 13,333,336 in base64, beside a hundred attributes."""
LARGE_BYTES: Final = 1_000_000
"""From here on a push is taken apart in a thread: it takes milliseconds in which no other request would be heard."""
KEEP_ALIVE_S: Final = 65
"""Who calls again soon needs no new connection."""
BACKLOG: Final = 128
SETTLE_S: Final = 10.0
"""After the longest run: time to publish its answer before the service ends."""


class Service:
    """The endpoints, and all they share."""

    def __init__(self, settings: Settings, computing: Computing, claims: Claims, results: Results | None) -> None:
        """Without `results` nothing can be pushed. Raises SetupError when the settings leave a door open."""
        self._callers = Callers.of(settings)
        self._computing = computing
        self._uploads = Uploads()
        self._most_bytes = settings.max_image_bytes
        kept_bytes = settings.answers_kept_mib * MIB
        self._pushes = None if results is None else Pushes(computing, claims, results, kept_bytes)

    async def push(self, request: Request) -> Response:
        """A job by Pub/Sub: 204 once its answer is published."""
        if self._pushes is None:
            raise HTTPException(404, "Nothing is pushed here: OVERSPILL_CLOUD is not `pubsub`.")
        await self._callers.admit_push(request.headers)
        with self._computing.place():
            parcel = await self._parcel(request)
            with bound(ticket=parcel.ticket, trace=trace_of({**request.headers, **parcel.attributes})):
                await _taken(self._pushes, parcel)
        return Response(status_code=204)

    async def call(self, request: Request) -> Response:
        """A job over plain HTTP, answered in the response."""
        await self._callers.admit_call(request.headers)
        operation = request.path_params["operation"]
        if operation not in OPERATIONS:
            raise BadInput(_unknown(f"{operation[:80]!r} is not an operation; there are {', '.join(OPERATIONS)}."))
        with self._computing.place(), bound(operation=operation, trace=trace_of(request.headers)):
            job = _job(request, operation, await self._uploads.upload(request, self._most_bytes))
            with hops.run(job, self._computing.vm, None) as span, bound(job=job.id):
                kept = await self._run(job, request.headers.get("link"))
                if (problem := problem_of(kept)) is not None:
                    span.fail(problem.slug)
                log.info("%s: answered after %s ms", operation, kept.headers.get("ran_ms", 0))
        return _answered(kept, span.traceparent)

    async def _run(self, job: Job, link: str | None) -> Kept:
        try:
            return await self._computing.run(job, link)
        except NotServed as reason:
            raise BadInput(_unknown(f"{job.operation} is not served here: {reason}.")) from None

    async def health(self, _request: Request) -> Response:
        """Whether the process is alive."""
        return JSONResponse({"status": "alive"}, headers=ALWAYS)

    async def ready(self, _request: Request) -> Response:
        """Whether it takes jobs, and which."""
        served = self._computing.served
        if served is None:
            raise HTTPException(503, "The service is loading, or going away.", {"retry-after": "1"})
        told = {"operations": served.operations, "not_served": served.not_served, "slots": self._computing.slots}
        return JSONResponse(told, headers=ALWAYS)

    async def _parcel(self, request: Request) -> Parcel:
        try:
            text = await self._uploads.body(request, PUSH_BYTES)
            return await asyncio.to_thread(read_push, text) if len(text) > LARGE_BYTES else read_push(text)
        except BadInput as error:
            status = 413 if error.problem.type == Kind.TOO_MANY_BYTES.urn else 400
            raise HTTPException(status, error.problem.detail) from None

    def drain(self) -> None:
        """Take nothing more, and send away what has not begun, those included whose picture is still on its way."""
        self._computing.drain()
        self._uploads.stop()


async def _taken(pushes: Pushes, parcel: Parcel) -> None:
    try:
        await pushes.take(parcel)
    except BadInput as error:
        raise HTTPException(400, error.problem.detail) from None


def _job(request: Request, operation: str, upload: Upload) -> Job:
    headers = request.headers
    check_one_picture(upload.body, headers.get("claim"))
    try:
        return Job.model_validate(
            {
                "id": uuid.uuid4().hex,
                "operation": operation,
                "body": upload.body,
                "params": upload.params,
                "deadline_ms": headers.get("deadline-ms"),
                "claim": headers.get("claim"),
                "traceparent": headers.get("traceparent"),
            }
        )
    except ValidationError as error:
        raise BadInput(bad_field(error, names={"deadline_ms": "deadline-ms"})) from None


def _answered(kept: Kept, traceparent: str | None) -> Response:
    told = {"vm": "x-overspill-vm", "model": "x-overspill-model", "ran_ms": "x-overspill-ran-ms"}
    headers = {name: str(kept.headers[key]) for key, name in told.items() if kept.headers.get(key) is not None}
    headers |= {"traceparent": traceparent} if traceparent else {}
    problem = problem_of(kept)
    if problem is not None:
        return problem_response(problem, headers)
    return Response(kept.body, headers={**headers, **ALWAYS}, media_type=kept.content_type)


def _unknown(detail: str) -> Problem:
    return Problem.of(Kind.UNKNOWN_OPERATION, detail, field="operation", remedy="GET /ready tells what is served here.")


def build(service: Service) -> Starlette:
    """The application."""
    routes = [
        Route("/push", service.push, methods=["POST"]),
        Route("/v1/{operation}", service.call, methods=["POST"]),
        Route("/health", service.health, methods=["GET"]),
        Route("/ready", service.ready, methods=["GET"]),
    ]
    handlers: Any = {**dict.fromkeys(HANDLED, on_error), Exception: on_surprise}
    return Starlette(routes=routes, exception_handlers=handlers)


class _Server(uvicorn.Server):
    """Ends when we say so: signals are our process's own."""

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield


async def serve_until(stop: asyncio.Event, settings: Settings, results: Results | None, port: socket.socket) -> None:
    """Serve on `port` until `stop`, then take nothing more, finish what runs, and end the processes that compute.

    Raises SetupError when the settings leave a door open.
    """
    machine, claims = Machine(), Claims.of(settings)
    computing = Computing(ComputingConfig.of(settings, machine.cores, machine.memory_bytes), claims)
    service = Service(settings, computing, claims, results)
    server = _Server(_config(metrics.measured(build(service)), settings.job_timeout_s + SETTLE_S))
    # Loading takes seconds, and jobs that come meanwhile wait for it: a cold start is then paid once, not by a refusal.
    computing.load()
    try:
        serving = asyncio.create_task(server.serve([port]))
        await process.unless_set(stop, _over(serving))
        service.drain()
        server.should_exit = True
        await serving
    finally:
        await computing.close()


async def _over(task: "asyncio.Task[None]") -> None:
    await asyncio.wait({task})


def _config(app: Any, grace_s: float) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http="h11",
        ws="none",
        lifespan="off",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=round(grace_s),
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises SetupError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        return socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SetupError(
            f"The cloud service can't listen on {host}, port {port} ({error.strerror}): set PORT to a free one, or "
            "OVERSPILL_SERVICE_HOST to an address of this machine."
        ) from None


def serve_cloud(settings: Settings) -> None:
    """Run the cloud service until SIGINT or SIGTERM. Raises SetupError naming what is missing."""
    observed.set_up(settings, "cloud-service")
    process.run(lambda stop: _serve(stop, settings))


async def _serve(stop: asyncio.Event, settings: Settings) -> None:
    Callers.of(settings)  # who may call is settled before anybody can
    # Looking for credentials may ask the network.
    results = await asyncio.to_thread(PubSubResults, settings) if settings.cloud == "pubsub" else None
    try:
        with listen(settings.service_host, settings.port) as port:
            log.info("cloud service on http://%s:%d", *port.getsockname()[:2])
            await serve_until(stop, settings, results, port)
    finally:
        if results is not None:
            await results.close()
