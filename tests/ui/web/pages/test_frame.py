"""Which pages a person is led to, and the way to the login."""

import pytest
from starlette.requests import Request

from tests.needed import need_package
from ui.web.people.person import Person

need_package("nicegui", "page")

from ui.web.pages.frame import links_for, to_login  # noqa: E402 (imports NiceGUI)


def test_the_dashboard_is_for_operators() -> None:
    assert ("/dashboard", "Dashboard") in links_for(Person("olga", "operator", "session"))
    assert ("/dashboard", "Dashboard") not in links_for(Person("anna", "user", "session"))


@pytest.mark.parametrize(
    ("path", "query", "leads_to"),
    [
        ("/", b"", "/login?next=/"),
        ("/jobs/12", b"", "/login?next=/jobs/12"),
        ("/", b"a=1&next=2", "/login?next=/%3Fa%3D1%26next%3D2"),
    ],
)
def test_the_login_leads_back_to_where_one_was_going(path: str, query: bytes, leads_to: str) -> None:
    request = Request({"type": "http", "path": path, "query_string": query, "headers": [], "server": ("h", 80)})
    answer = to_login(request)
    assert (answer.status_code, answer.headers["location"]) == (303, leads_to)
