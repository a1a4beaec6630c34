"""The API as one application, mounted under `/api/v1`: its own errors, its own document, nothing of the pages."""

import asyncio
import re
from importlib.metadata import version
from typing import Final

from fastapi import FastAPI
from fastapi.routing import APIRoute

from ui.web.api import account, document, faults, fleet, following, jobs, me, operator, results, tokens, webhooks, zips
from ui.web.parts import Web

_ABOUT: Final = """Hand in a picture, follow the job, fetch what came of it.

Every error is a problem document (RFC 9457) that says what to do about it. `Retry-After` says that the same request may
pass later. Times named `_ms` are milliseconds since the Unix epoch."""
_TAGS: Final = [
    {"name": "jobs", "description": "Hand in, list, cancel, retry, remove."},
    {"name": "events", "description": "What changes, as it changes."},
    {"name": "results", "description": "The pictures."},
    {"name": "me", "description": "Who calls."},
    {"name": "tokens", "description": "What programs log in with."},
    {"name": "webhooks", "description": "Be called when a job ends."},
    {"name": "fleet", "description": "How the machines are; for operators."},
    {"name": "operator", "description": "Drain, pause, and what lies in the dead queue; for operators."},
]
_PARTS: Final = (jobs, following, results, zips, me, account, tokens, webhooks, fleet, operator)


def api(web: Web, stop: asyncio.Event) -> FastAPI:
    """The application; what it waits for ends when `stop` is set."""
    app = FastAPI(
        title="overspill",
        version=version("overspill"),
        description=_ABOUT,
        openapi_tags=_TAGS,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        responses=document.EVERYWHERE,
        generate_unique_id_function=_operation_id,
    )
    app.state.web, app.state.stop = web, stop
    faults.add_handlers(app)
    for part in _PARTS:
        part.add_routes(app, web)
    document.describe(app)
    return app


def _operation_id(route: APIRoute) -> str:
    """`get_jobs_job_id_result`: what generated clients call their methods."""
    path = re.sub(r"\W+", "_", route.path).strip("_")
    return f"{min(route.methods or ('get',))}_{path}".lower()
