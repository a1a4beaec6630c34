"""`/health` and `/ready`: what a supervisor or a load balancer asks. They tell nothing else, and need no login."""

from fastapi import Request
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response

from ui.web.api.faults import NO_STORE
from ui.web.parts import Web


def add_routes(app: Starlette, web: Web) -> None:
    """Add both."""

    async def health(_request: Request) -> Response:
        return JSONResponse({"status": "alive"}, headers=NO_STORE)

    async def ready(_request: Request) -> Response:
        if web.bus.connected:
            return JSONResponse({"status": "ready"}, headers=NO_STORE)
        waiting = {"status": "waiting", "detail": "The broker is away: jobs are taken, and wait."}
        return JSONResponse(waiting, 503, {**NO_STORE, "retry-after": "2"})

    app.add_route("/health", health, methods=["GET"])
    app.add_route("/ready", ready, methods=["GET"])
