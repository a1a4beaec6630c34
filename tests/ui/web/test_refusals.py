"""What people and programs are told of a request that goes no further; the guard's own tests say which those are."""

import pytest
from starlette.requests import HTTPConnection
from starlette.responses import Response

from bus.problems import Kind, Problem
from bus.settings import Settings
from ui.web.pages.login_form import document
from ui.web.refusals import page_of, refused

BROWSER = "text/html,application/xhtml+xml,*/*;q=0.8"
FOREIGN = Problem.of(Kind.NOT_ALLOWED, "The request comes from another site.")
NOBODY = Problem.of(Kind.NOT_LOGGED_IN, "The proxy has not said who calls.")
TOO_MANY = Problem.of(Kind.TOO_MANY_REQUESTS, "Too many requests came.", retry_after_s=3.2)


def answer(problem: Problem, accept: str, path: str = "/", method: str = "GET", login: str = "accounts") -> Response:
    scope = {"type": "http", "method": method, "path": path, "headers": [(b"accept", accept.encode())]}
    return refused(HTTPConnection(scope), problem, Settings(page_login=login))  # type: ignore[arg-type]  # one of them


@pytest.mark.parametrize(
    ("accept", "path", "kind"),
    [
        (BROWSER, "/", "text/html; charset=utf-8"),
        (BROWSER, "/login", "text/html; charset=utf-8"),
        (BROWSER, "/api/v1/jobs", "application/problem+json"),
        ("*/*", "/", "application/problem+json"),
        ("", "/", "application/problem+json"),
    ],
)
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_people_get_a_page_and_programs_a_problem(accept: str, path: str, kind: str, method: str) -> None:
    told = answer(FOREIGN, accept, path, method)
    assert (told.status_code, told.headers["content-type"]) == (403, kind)
    assert told.headers["cache-control"] == "no-store"
    assert b"The request comes from another site." in bytes(told.body)


def test_a_page_says_what_to_do_in_words_for_people() -> None:
    assert "Ask whoever runs these machines." in page_of(FOREIGN)
    assert "or send Authorization: Bearer with an API token" in page_of(NOBODY)
    assert "Try again in 4 seconds." in page_of(TOO_MANY)
    assert "Try again in a second." in page_of(TOO_MANY.model_copy(update={"retry_after_s": 0.5}))
    assert answer(TOO_MANY, BROWSER).headers["retry-after"] == "4"


def test_a_page_takes_nothing_for_html() -> None:
    odd = FOREIGN.model_copy(update={"title": "<b>", "detail": "<i>", "remedy": None})
    html = page_of(odd)
    assert "<b>" not in html
    assert "<i>" not in html
    assert '<h1>&lt;b&gt;</h1><p class="door__said" role="alert">&lt;i&gt;</p>' in html
    assert document("/s", "<b>", "")[:40] == html[:40]


@pytest.mark.parametrize(
    ("login", "method", "status"),
    [("accounts", "GET", 303), ("oidc", "GET", 303), ("accounts", "POST", 401), ("proxy", "GET", 401)],
)
def test_who_can_log_in_here_is_led_there(login: str, method: str, status: int) -> None:
    told = answer(NOBODY, BROWSER, method=method, login=login)
    assert told.status_code == status
    assert told.headers.get("location") == ("/login?next=/" if status == 303 else None)
    assert ("www-authenticate" in told.headers) == (status == 401)
