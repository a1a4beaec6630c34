"""The login page, and the way to an OpenID provider and back."""

import logging
from collections.abc import Awaitable, Callable
from typing import Final
from urllib.parse import urlsplit

from nicegui import app
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Route

from bus.errors import ProblemError
from ui.web.pages import login_form
from ui.web.pages.assets import BASE
from ui.web.parts import Web
from ui.web.people.next_page import HOME, next_page
from ui.web.people.oidc import Oidc
from ui.web.people.oidc_flow import CALLBACK, HOLDS_S, Flow, LoginFailed, cookie_name, set_cookie
from ui.web.people.people import People
from ui.web.people.person import NotLoggedIn

log = logging.getLogger(__name__)

_NO_STORE: Final = {"cache-control": "no-store"}
_Handler = Callable[[Request], Awaitable[Response]]


def add_pages(web: Web) -> None:
    """Serve the login page."""
    for route in login_pages(web.people):
        app.router.routes.append(route)


def login_pages(people: People) -> list[Route]:
    """`GET /login`; with an OpenID provider also the way there and the way back."""
    routes = [Route("/login", _login_page(people), methods=["GET"])]
    if people.settings.page_login == "oidc":
        provider = Oidc(people.settings)
        routes.append(Route("/login/oidc", _told(_way_there(people, provider)), methods=["GET"]))
        routes.append(Route(CALLBACK, _told(_way_back(people, provider)), methods=["GET"]))
    return routes


def _login_page(people: People) -> _Handler:
    async def login(request: Request) -> Response:
        """The form; who needs none goes on at once."""
        kind = people.settings.page_login
        if kind in {"open", "proxy"} or await _is_somebody(people, request):
            return _to(next_page(request.query_params.get("next")) if kind in {"accounts", "oidc"} else HOME)
        if kind == "accounts":
            return _page("Log in", login_form.form(request.query_params))
        host = urlsplit(people.settings.page_oidc_issuer or "").hostname or "your provider"
        return _page("Log in", login_form.provider_link(host, request.query_params))

    return login


def _way_there(people: People, provider: Oidc) -> _Handler:
    async def begin(request: Request) -> Response:
        wished = next_page(request.query_params.get("next"))
        flow, url = await provider.begin(wished, people.url_of(request))
        response = _to(url)
        secure = people.callers.is_secure(request)
        response.headers.append("set-cookie", set_cookie(flow.to_cookie(), HOLDS_S, secure=secure))
        return response

    return begin


def _way_back(people: People, provider: Oidc) -> _Handler:
    async def end(request: Request) -> Response:
        secure = people.callers.is_secure(request)
        flow = Flow.from_cookie(request.cookies.get(cookie_name(secure=secure)))
        known = await provider.end(flow, request.query_params, people.url_of(request))
        person = await people.claim(known.issuer, known.subject, known.wished)
        response = _to(flow.next)
        response.headers.append("set-cookie", await people.log_in(person, request))
        response.headers.append("set-cookie", set_cookie("", 0, secure=secure))
        return response

    return end


def _told(handler: _Handler) -> _Handler:
    """What a login at the provider came to, as a page where it came to nothing."""

    async def told(request: Request) -> Response:
        try:
            return await handler(request)
        except LoginFailed as failed:
            log.warning("a login at the provider failed: %s %s", failed, failed.__cause__ or "")
            return _page("Log in", login_form.failure(str(failed)), failed.status)
        except ProblemError as error:
            return _page("Log in", login_form.failure(str(error)), error.problem.status)

    return told


async def _is_somebody(people: People, request: Request) -> bool:
    try:
        await people.of(request)
    except NotLoggedIn:
        return False
    return True


def _page(title: str, content: str, status: int = 200) -> Response:
    return HTMLResponse(login_form.document(BASE, title, content), status, _NO_STORE)


def _to(url: str) -> Response:
    return RedirectResponse(url, 303, _NO_STORE)
