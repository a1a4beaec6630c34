"""All that is served, as one ASGI application: the guard around everything, the API, the login, the pages."""

import asyncio
from importlib import import_module
from typing import Final

from fastapi import FastAPI
from starlette.types import ASGIApp

from telemetry import metrics
from ui.web.api import compat, faults, health
from ui.web.api.api import api
from ui.web.api.schema import BASE
from ui.web.guard import Guard
from ui.web.lingering import Lingering
from ui.web.methods import HeadAsGet, OtherMethods
from ui.web.parts import Web
from ui.web.people.login import login_routes

PAGES: Final = ("work", "job", "dashboard", "login", "account", "nowhere")


def routes(web: Web, stop: asyncio.Event) -> FastAPI:
    """Everything but the pages; what waits for something ends when `stop` is set."""
    app = FastAPI(openapi_url=None, docs_url=None, redoc_url=None, redirect_slashes=False)
    app.state.web, app.state.stop = web, stop
    faults.add_handlers(app)
    health.add_routes(app, web)
    compat.add_routes(app, web)
    app.router.routes.extend(login_routes(web.people))
    app.mount(BASE, api(web, stop))
    return app


def add_pages(app: FastAPI, web: Web) -> None:
    """Add the pages, under all other routes. Once a process: NiceGUI keeps them in one place."""
    from nicegui import app as pages  # noqa: PLC0415 (half a second, which tests of the API need not wait)
    from nicegui import ui  # noqa: PLC0415 (as above)

    for name in PAGES:
        import_module(f"ui.web.pages.{name}").add_pages(web)
    app.router.routes.append(OtherMethods([*app.router.routes, *pages.routes], web.settings))
    ui.run_with(
        app,
        title="overspill",
        language="en-US",
        dark=None,
        binding_refresh_interval=None,
        show_welcome_message=False,
        tailwind=False,  # we have style sheets of our own, a hundredth of its size
    )


def guarded(app: FastAPI, web: Web) -> ASGIApp:
    """The application as it meets the world."""
    return Lingering(metrics.measured(Guard(HeadAsGet(app), web.people)))
