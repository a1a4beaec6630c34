"""How a request that goes no further is answered: people get a plain page, programs a problem document."""

import math
from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import quote

from starlette.requests import HTTPConnection
from starlette.responses import HTMLResponse, RedirectResponse, Response

from bus.page_settings import PageSettings
from bus.problems import Problem
from ui.web.api.faults import headers_of, problem_response
from ui.web.api.schema import BASE as API
from ui.web.pages import login_form
from ui.web.pages.assets import BASE
from ui.web.people.next_page import next_page

_VISITS: Final = frozenset({"GET", "HEAD"})
_LOGIN_PAGES: Final = frozenset({"accounts", "oidc"})


def refused(
    connection: HTTPConnection, problem: Problem, settings: PageSettings, headers: Mapping[str, str] | None = None
) -> Response:
    """The answer to a refused request: for a person who must log in first, the way there. Repeats nothing of it.

    `headers` are added to those that belong to the problem.
    """
    if not _is_visit(connection):
        return problem_response(problem, headers)
    if problem.status == 401 and connection.scope["method"] in _VISITS and settings.page_login in _LOGIN_PAGES:
        return _to_login(connection)
    return HTMLResponse(page_of(problem), problem.status, headers_of(problem, headers))


def page_of(problem: Problem) -> str:
    """A page that says what is wrong and what to do: plain HTML, which needs neither script nor socket."""
    said = f'<h1>{escape(problem.title)}</h1><p class="door__said" role="alert">{escape(problem.detail)}</p>'
    hint = f'<p class="door__hint">{escape(_remedy(problem))}</p>'
    return login_form.document(BASE, problem.title, f'{said}{hint}<a class="button main" href="/">To the pictures</a>')


def _remedy(problem: Problem) -> str:
    if problem.retry_after_s is None:
        return (problem.remedy or "").replace("`", "")
    seconds = max(1, math.ceil(problem.retry_after_s))
    return f"Try again in {seconds} seconds." if seconds > 1 else "Try again in a second."


def _is_visit(connection: HTTPConnection) -> bool:
    """Whether a person sees the answer, in a browser that opens a page."""
    return "text/html" in connection.headers.get("accept", "") and not connection.scope["path"].startswith(f"{API}/")


def _to_login(connection: HTTPConnection) -> Response:
    path, query = connection.scope["path"], connection.scope.get("query_string", b"").decode("latin-1")
    back = next_page(f"{quote(path)}?{query}" if query else quote(path))
    return RedirectResponse(f"/login?next={quote(back, safe='/')}", 303, {"cache-control": "no-store"})
