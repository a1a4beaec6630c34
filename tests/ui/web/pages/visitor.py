"""The login's pages behind the guard, and the browser of somebody who comes to them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import argon2
import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bus.settings import Settings
from tests.needed import need_package
from ui.web.guard import Guard
from ui.web.jobs.database import Database
from ui.web.people import tables
from ui.web.people.login import login_routes
from ui.web.people.passwords import Passwords
from ui.web.people.people import People

need_package("nicegui", "page")
from ui.web.pages.login import login_pages  # noqa: E402 (after what it needs)

FROM_ELSEWHERE = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
"""What a browser says of a link that it follows from another site."""
CHEAP = Passwords(argon2.profiles.CHEAPEST)


class Page:
    """The page as a browser sees it; `fresh` is another browser."""

    def __init__(self, people: People, address: str = "http://pictures.example") -> None:
        routes = [*login_pages(people), *login_routes(people), Route("/who", self._who)]
        self.people, self._app, self._address = people, Guard(Starlette(routes=routes), people), address
        self.browser = self.fresh()

    def fresh(self) -> httpx.AsyncClient:
        return httpx.AsyncClient(transport=httpx.ASGITransport(self._app), base_url=self._address)

    async def _who(self, request: Request) -> JSONResponse:
        person = await self.people.of(request)
        return JSONResponse([person.name, person.role])

    async def who(self) -> Any:
        answer = await self.browser.get("/who")
        return answer.json() if answer.status_code == 200 else None

    async def consented(self, after: str = "/") -> str:
        """From the login page's link to the provider; the address that the provider sends the browser back to."""
        begun = await self.browser.get("/login/oidc", params={"next": after})
        assert begun.status_code == 303, begun.text
        async with httpx.AsyncClient(verify=False) as outside:  # noqa: S501 (over http; reading certificates takes long)
            return (await outside.get(begun.headers["location"])).headers["location"]

    async def logged_in(self, after: str = "/") -> httpx.Response:
        return await self.back(await self.consented(after))

    async def back(self, link: str) -> httpx.Response:
        """What the page answers to the link that the provider sends a browser to."""
        return await self.browser.get(link, headers=FROM_ELSEWHERE)


@asynccontextmanager
async def page_of(folder: Path, **settings: Any) -> AsyncIterator[Page]:
    database = Database(folder / "page.db", tables.SCHEMA)
    await database.open()
    people = People(Settings(page_dir=folder, **settings), database, passwords=CHEAP)
    page = Page(people, settings.get("page_url") or "http://pictures.example")
    try:
        yield page
    finally:
        await page.browser.aclose()
        await database.close()
