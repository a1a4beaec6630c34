"""A proxy that logs people in: from its header, through the guard, to who one is."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from bus.settings import Settings
from ui.web.guard import Guard
from ui.web.jobs.database import Database
from ui.web.people import tables
from ui.web.people.login import login_routes
from ui.web.people.people import People

HERE = "pictures.example"
PROXY, STRANGER = "10.1.2.3", "203.0.113.9"


class Site:
    def __init__(self, people: People) -> None:
        self._people = people
        routes = [Route("/who", self._who), *login_routes(people)]
        self._app = Guard(Starlette(routes=routes), people)

    async def _who(self, request: Request) -> JSONResponse:
        person = await self._people.of(request)
        return JSONResponse([person.name, person.role, self._people.address_of(request)])

    async def ask(self, *headers: tuple[str, str], source: str = PROXY, **asked: Any) -> httpx.Response:
        """What is answered to who asks from an address."""
        transport = httpx.ASGITransport(self._app, client=(source, 40_000))
        async with httpx.AsyncClient(transport=transport, base_url=f"https://{HERE}") as client:
            return await client.request(asked.pop("method", "GET"), asked.pop("path", "/who"), headers=headers, **asked)


@asynccontextmanager
async def site(folder: Path, **more: Any) -> AsyncIterator[Site]:
    told = {"page_login": "proxy", "page_url": f"https://{HERE}", "page_proxies": "10.1.2.0/24", **more}
    database = Database(folder / "page.db", tables.SCHEMA)
    await database.open()
    yield Site(People(Settings(page_dir=folder, **told), database))
    await database.close()


async def test_whom_the_proxy_names_is_who_calls_from_where_it_says(tmp_path: Path) -> None:
    async with site(tmp_path, page_operators="olga") as page:
        anna = await page.ask(("X-Forwarded-User", "anna"), ("X-Forwarded-For", STRANGER))
        olga = await page.ask(("X-Forwarded-User", "olga"))
    assert anna.json() == ["anna", "user", STRANGER]
    assert olga.json() == ["olga", "operator", PROXY]


async def test_the_header_is_the_one_that_the_settings_name(tmp_path: Path) -> None:
    async with site(tmp_path, page_proxy_header="Remote-Email") as page:
        named = await page.ask(("Remote-Email", "anna@b.example"))
        usual = await page.ask(("X-Forwarded-User", "anna"))
    assert named.json()[0] == "anna@b.example"
    assert usual.status_code == 401


async def test_who_comes_past_the_proxy_is_nobody_whatever_they_say(tmp_path: Path) -> None:
    async with site(tmp_path) as page:
        answers = [
            await page.ask(("X-Forwarded-User", "olga"), source=STRANGER),
            await page.ask(("X-Forwarded-User", "olga"), ("X-Forwarded-For", PROXY), source=STRANGER),
            await page.ask(("Authorization", "Bearer ovs_x"), ("Cookie", "overspill=x"), source=STRANGER),
        ]
    assert [answer.status_code for answer in answers] == [401] * 3


async def test_a_name_that_comes_twice_or_not_at_all_is_nobodys(tmp_path: Path) -> None:
    async with site(tmp_path) as page:
        answers = [
            await page.ask(),
            await page.ask(("X-Forwarded-User", "")),
            await page.ask(("X-Forwarded-User", "anna"), ("X-Forwarded-User", "olga")),
            await page.ask(("X-Forwarded-User", "demo")),
        ]
    assert [answer.status_code for answer in answers] == [401] * 4


async def test_there_is_no_password_to_log_in_with(tmp_path: Path) -> None:
    async with site(tmp_path) as page:
        form = {"name": "anna", "password": "correct horse battery"}
        answer = await page.ask(("Accept", "application/json"), method="POST", path="/login", data=form)
    assert answer.status_code == 403


async def test_another_sites_form_is_refused_though_the_proxy_names_its_reader(tmp_path: Path) -> None:
    async with site(tmp_path) as page:
        headers = [("X-Forwarded-User", "anna"), ("Origin", "https://evil.example")]
        answer = await page.ask(*headers, method="POST", path="/logout")
    assert answer.status_code == 403
