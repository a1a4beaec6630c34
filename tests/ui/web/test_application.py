"""How the parts stand to each other: what answers where, and that everything stands behind the guard."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from bus.settings import Settings
from telemetry.metrics.http import Measured
from ui.web.application import PAGES, guarded, routes
from ui.web.guard import Guard
from ui.web.lingering import Lingering
from ui.web.parts import running


async def test_the_api_the_login_and_the_rest_each_have_their_place(tmp_path: Path) -> None:
    settings = Settings(page_dir=tmp_path, page_login="open")
    async with running(settings, "amqp://127.0.0.1:1/") as web:
        app = routes(web, asyncio.Event())
        paths = {getattr(route, "path", None) for route in app.router.routes}
        assert {"/health", "/ready", "/sketch", "/remove_bg", "/caption", "/login", "/logout", "/api/v1"} <= paths
        outermost: Any = guarded(app, web)
        assert isinstance(outermost, Lingering)
        assert isinstance(outermost.app, Measured)
        assert isinstance(outermost.app.app, Guard)


@pytest.mark.parametrize("name", PAGES)
def test_every_page_is_there(name: str) -> None:
    assert (Path(__file__).parents[3] / "ui" / "web" / "pages" / f"{name}.py").exists()
