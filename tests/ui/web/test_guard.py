"""The guard, as hostile browsers and programs meet it: hosts, origins, logins and how much one may ask."""

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from starlette.types import Message

from tests.ui.web.asked import MIB, ORIGIN, Page, guarded, problem
from ui.web.guard import HEADERS, Guard, is_public
from ui.web.people.person import Person

SITE = "https://pictures.example"

# What is on every answer.


async def test_every_answer_bears_the_headers(asking: Page) -> None:
    served, missing = await asking.http.get("/api/v1/jobs"), await asking.http.get("/nowhere")
    for answer in (served, missing, await asking.http.post("/api/v1/jobs", headers={"origin": ORIGIN})):
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS


async def test_a_route_may_have_its_own(asking: Page) -> None:
    answer = await asking.http.get("/")
    assert answer.headers.get_list("x-frame-options") == ["SAMEORIGIN"]
    assert answer.headers["x-content-type-options"] == "nosniff"


# Hosts and origins.


@pytest.mark.parametrize("path", ["/", "/api/v1/jobs", "/health"])
async def test_another_name_that_leads_here_gets_nothing(asking: Page, path: str) -> None:
    answer = await asking.http.get(path, headers={"host": "evil.example"})
    assert problem(answer) == (400, "bad-request")


@pytest.mark.parametrize(
    ("method", "path", "accept"),
    [
        ("POST", "/api/v1/jobs", "*/*"),
        ("POST", "/login", "*/*"),
        ("POST", "/logout", "*/*"),
        ("GET", "/api/v1/events", "text/event-stream"),
        ("GET", "/_nicegui_ws/socket.io/", "*/*"),
        ("POST", "/_nicegui_ws/socket.io/", "*/*"),
    ],
)
@pytest.mark.parametrize("sent", [{"origin": ORIGIN}, {"origin": "null"}, {"sec-fetch-site": "cross-site"}])
async def test_another_sites_page_gets_nothing(
    asking: Page, method: str, path: str, accept: str, sent: dict[str, str]
) -> None:
    answer = await asking.http.request(method, path, headers={"accept": accept, **sent})
    assert problem(answer) == (403, "not-allowed")
    assert "access-control-allow-origin" not in answer.headers


async def test_our_own_page_does(asking: Page) -> None:
    ours = {"origin": "http://localhost:8600", "sec-fetch-site": "same-origin"}
    assert (await asking.http.post("/api/v1/jobs", content=b"12345", headers=ours)).json()["bytes"] == 5
    assert (
        await asking.http.get("/api/v1/events", headers={"accept": "text/event-stream", **ours})
    ).text == "data: 1\n\n"


async def test_the_faults_of_the_application_stay_its_own(asking: Page) -> None:
    with pytest.raises(RuntimeError, match="of the application"):
        await asking.http.get("/api/v1/broken")


# Nobody gets further than the login.


@pytest.mark.parametrize(
    ("method", "path"),
    [("GET", "/api/v1/jobs"), ("POST", "/api/v1/jobs"), ("POST", "/"), ("GET", "/_nicegui_ws/socket.io/")],
)
async def test_nobody_gets_a_problem(tmp_path: Path, method: str, path: str) -> None:
    async with guarded(tmp_path) as asking:
        answer = await asking.http.request(method, path)
        assert problem(answer) == (401, "not-logged-in")
        assert answer.headers["www-authenticate"].startswith("Bearer")


@pytest.mark.parametrize(
    ("path", "there"),
    [
        ("/", "/login?next=/"),
        ("/jobs/0123?a=b&c=d", "/login?next=/jobs/0123%3Fa%3Db%26c%3Dd"),
        ("//evil.example/", "/login?next=/"),
        ("/%0d%0aset-cookie:a=b", "/login?next=/%250D%250Aset-cookie%253Aa%253Db"),
    ],
)
async def test_a_visitor_is_shown_the_way_to_the_login(tmp_path: Path, path: str, there: str) -> None:
    async with guarded(tmp_path) as asking:
        answer = await asking.http.get("http://localhost:8600" + path, headers={"accept": "text/html,*/*"})
        assert (answer.status_code, answer.headers["location"]) == (303, there)


async def test_behind_a_proxy_that_names_nobody_there_is_one_page_and_no_way_round_in_circles(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="proxy", page_proxies="127.0.0.1", page_url=SITE) as asking:
        asking.http.base_url = httpx.URL(SITE)
        shown = await asking.http.get("/", headers={"accept": "text/html,*/*"})
        assert (shown.status_code, shown.headers["content-type"]) == (401, "text/html; charset=utf-8")
        assert "The proxy has not said who calls." in shown.text
        assert "Log in at the proxy before this page" in shown.text
        assert problem(await asking.http.get("/api/v1/jobs", headers={"accept": "text/html"})) == (401, "not-logged-in")


async def test_people_are_refused_on_a_page_of_ours(asking: Page) -> None:
    async def body() -> AsyncIterator[bytes]:
        for _ in range(17):
            yield bytes(1 << 16)

    person = {"accept": "text/html,*/*"}
    foreign = await asking.http.post("/login", headers={**person, "origin": ORIGIN})
    large = await asking.http.post("/login", headers=person, content=bytes(MIB + 1))
    streamed = await asking.http.post("/_nicegui_ws/socket.io/", headers=person, content=body())
    for answer, status in ((foreign, 403), (large, 413), (streamed, 413)):
        assert (answer.status_code, answer.headers["content-type"]) == (status, "text/html; charset=utf-8")
        assert {name: answer.headers[name] for name in HEADERS} == HEADERS
        assert "evil" not in answer.text
    assert streamed.headers["connection"] == "close"


@pytest.mark.parametrize(
    "path", ["/login", "/login/oidc", "/static/a/b.css", "/_nicegui/3.18.0/x.js", "/health", "/sketch"]
)
def test_what_everybody_may_ask(path: str) -> None:
    assert is_public(path)


@pytest.mark.parametrize(
    "path", ["/", "/loginx", "/_nicegui_ws/socket.io/", "/api/v1/jobs", "/account", "/static", "//login"]
)
def test_what_not_everybody_may(path: str) -> None:
    assert not is_public(path)


async def test_the_api_does_not_send_programs_to_a_page(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        assert (await asking.http.get("/api/v1/jobs", headers={"accept": "text/html"})).status_code == 401


async def test_a_token_of_a_program_opens_the_api(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        await asking.there.add("anna")
        _, token = await asking.there.people.add_token(Person("anna", "user", "session"), "script")
        answer = await asking.http.post("/api/v1/jobs", content=b"1", headers={"authorization": f"Bearer {token}"})
        assert answer.json()["bytes"] == 1


async def test_a_cookie_replayed_after_the_logout_opens_nothing(tmp_path: Path) -> None:
    async with guarded(tmp_path) as asking:
        await asking.there.add("anna")
        cookie = await asking.there.logged_in("anna")
        assert (await asking.http.get("/api/v1/jobs", headers=cookie)).status_code == 200
        assert (await asking.http.post("/logout", headers=cookie)).status_code == 303
        assert (await asking.http.get("/api/v1/jobs", headers=cookie)).status_code == 401


async def test_a_proxys_header_from_elsewhere_makes_nobody(tmp_path: Path) -> None:
    settings = {"page_login": "proxy", "page_url": "http://localhost:8600", "page_proxies": "10.0.0.3/32"}
    async with guarded(tmp_path, **settings) as asking:
        named = {"x-forwarded-user": "anna", "x-forwarded-for": "10.0.0.3"}
        assert (await asking.http.get("/api/v1/jobs", headers=named)).status_code == 401
        asking.http = httpx.AsyncClient(
            transport=httpx.ASGITransport(asking.guard, client=("10.0.0.3", 1)), base_url="http://localhost:8600"
        )
        async with asking.http:
            assert (await asking.http.get("/api/v1/jobs", headers=named)).status_code == 200


# How much.


async def test_too_many_requests_are_told_when_to_come_back(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="open", page_requests_rate=20) as asking:
        answers = [await asking.http.get("/api/v1/jobs") for _ in range(21)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429]
        assert problem(answers[-1]) == (429, "too-many-requests")
        assert answers[-1].headers["retry-after"] == "3"


async def test_a_page_costs_more_than_what_is_on_it(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_login="open", page_requests_rate=20) as asking:
        assert [(await asking.http.get("/")).status_code for _ in range(3)] == [200, 200, 429]


async def test_one_persons_requests_are_not_anothers(tmp_path: Path) -> None:
    async with guarded(tmp_path, page_requests_rate=1) as asking:
        for name in ("anna", "127.0.0.1"):
            await asking.there.add(name)
        cookies = [await asking.there.logged_in(name) for name in ("anna", "127.0.0.1")]
        statuses = [(await asking.http.get("/api/v1/jobs", headers=cookie)).status_code for cookie in cookies * 2]
        assert statuses == [200, 200, 429, 429]
        assert (await asking.http.get("/health")).status_code == 200
        assert (await asking.http.get("/health")).status_code == 429


async def test_what_is_no_request_passes(asking: Page) -> None:
    seen: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        seen.append(scope["type"])

    await Guard(app, asking.there.people)(
        {"type": "lifespan"}, asyncio.Queue[Message]().get, asyncio.Queue[Message]().put
    )
    assert seen == ["lifespan"]
