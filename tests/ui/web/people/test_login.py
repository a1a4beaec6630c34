"""`POST /login` and `POST /logout`, as forms and programs send them."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import httpx
import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse
from starlette.routing import Route

from tests.ui.web.people.village import PASSWORD, Village, village
from ui.web.people.login import login_routes

JSON = {"accept": "application/json"}


@asynccontextmanager
async def browser(there: Village, base_url: str = "http://localhost:8600") -> AsyncIterator[httpx.AsyncClient]:
    async def me(request: Request) -> JSONResponse:
        return JSONResponse((await there.people.of(request)).name)

    app = Starlette(routes=[*login_routes(there.people), Route("/me", me)])
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url=base_url) as client:
        yield client


def form(name: str = "anna", password: str = PASSWORD, **more: str) -> dict[str, str]:
    return {"name": name, "password": password, **more}


async def test_a_form_logs_in_and_goes_where_one_was_going(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna")
        answer = await client.post("/login", data=form(next="/jobs/0123?a=b"))
        assert (answer.status_code, answer.headers["location"]) == (303, "/jobs/0123?a=b")
        assert "HttpOnly; SameSite=Lax" in answer.headers["set-cookie"]
        assert answer.headers["cache-control"] == "no-store"
        assert (await client.get("/me")).json() == "anna"


async def test_over_https_the_cookie_is_a_secure_one(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there, "https://pictures.example") as client:
        await there.add("anna")
        cookie = (await client.post("/login", data=form())).headers["set-cookie"]
        assert cookie.startswith("__Host-overspill=")
        assert cookie.endswith("; Secure")


@pytest.mark.parametrize("wished", ["//evil.example", "https://evil.example", "/\\evil.example", "javascript:alert(1)"])
async def test_nobody_is_sent_elsewhere(tmp_path: Path, wished: str) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna")
        assert (await client.post("/login", data=form(next=wished))).headers["location"] == "/"
        wrong = await client.post("/login", data=form(password="wrong", next=wished))
        assert wrong.headers["location"] == "/login?error=wrong"


@pytest.mark.parametrize(
    "sent", [form(password="wrong"), form(name="carl"), {"name": "anna"}, {}, form(name="x" * 500)]
)
async def test_a_form_that_is_wrong_goes_back_to_the_page(tmp_path: Path, sent: dict[str, str]) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna")
        answer = await client.post("/login", data=sent)
        assert (answer.status_code, answer.headers["location"]) == (303, "/login?error=wrong")
        assert "set-cookie" not in answer.headers


async def test_the_page_is_told_how_long_to_wait(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        for _ in range(9):
            answer = await client.post("/login", data=form(password="wrong", next="/account"))
        told = parse_qs(urlsplit(answer.headers["location"]).query)
        assert told == {"error": ["wait"], "seconds": ["1"], "next": ["/account"]}


async def test_a_program_logs_in_by_json(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna", "operator")
        answer = await client.post("/login", json=form())
        assert (answer.status_code, answer.json()) == (200, {"name": "anna", "role": "operator"})
        assert (await client.get("/me")).json() == "anna"


@pytest.mark.parametrize(
    ("sent", "status", "field"),
    [
        ({"json": form(password="wrong")}, 401, None),
        ({"json": {"name": "anna"}}, 422, "password"),
        ({"json": form() | {"name": {"$gt": ""}}}, 422, "name"),
        ({"json": ["anna"]}, 422, None),
        ({"content": b"{", "headers": {"content-type": "application/json"}}, 400, None),
        ({"data": {"password": "the secret one"}, "headers": JSON}, 422, "name"),
        ({"files": {"name": b"x"}, "headers": JSON}, 400, None),
    ],
)
async def test_a_program_is_told_what_is_wrong_and_never_the_password(
    tmp_path: Path, sent: dict[str, Any], status: int, field: str | None
) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna")
        answer = await client.post("/login", **sent)
        assert (answer.status_code, answer.json().get("field")) == (status, field)
        assert "secret" not in answer.text
        assert PASSWORD not in answer.text


async def test_a_program_that_tries_too_often_is_told_when_to_come_back(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        for _ in range(9):
            answer = await client.post("/login", json=form(password="wrong"))
        assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")


async def test_where_nobody_has_a_password_nobody_logs_in_with_one(tmp_path: Path) -> None:
    async with village(tmp_path, page_login="open") as there, browser(there) as client:
        assert (await client.post("/login", data=form())).status_code == 403
        assert (await client.post("/logout")).headers["location"] == "/"


async def test_a_logout_ends_the_session_on_both_sides(tmp_path: Path) -> None:
    async with village(tmp_path) as there, browser(there) as client:
        await there.add("anna")
        await client.post("/login", data=form())
        cookie = {"cookie": f"overspill={client.cookies['overspill']}"}
        answer = await client.post("/logout")
        assert (answer.status_code, answer.headers["location"]) == (303, "/login")
        assert not client.cookies
        assert await there.people.sessions_of("anna") == []
        assert (await client.post("/logout", headers=JSON | cookie)).status_code == 204
