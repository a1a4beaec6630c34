"""The one frame of every page: header, navigation, theme, toasts, and the place for what the page is about."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from urllib.parse import quote

from nicegui import ui
from starlette.requests import Request
from starlette.responses import RedirectResponse

from ui.web.pages import shell
from ui.web.pages.assets import BASE
from ui.web.parts import Web
from ui.web.people.person import Person

_LEAVES = {"accounts", "oidc"}
"""The logins that one can log out of."""


@contextmanager
def frame(
    web: Web,
    person: Person,
    title: str,
    *,
    styles: Sequence[str] = (),
    modules: Sequence[str] = (),
    keys: Sequence[shell.Shortcut] = (),
) -> Iterator[None]:
    """Everything around a page; what is made within the context is its content.

    `title` names the page, also in the navigation. `styles` and `modules` are paths below `assets.BASE` to load and to
    fetch early, `keys` the page's own shortcuts for the list behind `?`.
    """
    ui.page_title(f"{title} · overspill")
    ui.add_head_html(shell.head(BASE, styles, modules))
    menu = shell.user_menu(person.name, person.role, logs_out=web.settings.page_login in _LEAVES)
    ui.add_body_html(shell.body(BASE, title, links_for(person), menu, keys))
    with ui.element("div").props("id=content tabindex=-1").classes("content"):
        yield


def links_for(person: Person) -> list[tuple[str, str]]:
    """The pages that a person may open, as (address, name)."""
    dashboard = [("/dashboard", "Dashboard")] if person.role == "operator" else []
    return [("/", "Pictures"), *dashboard, ("/account", "Account")]


def to_login(request: Request) -> RedirectResponse:
    """To the login page, and after it back to where the request was going."""
    path = request.url.path + (f"?{request.url.query}" if request.url.query else "")
    return RedirectResponse(f"/login?next={quote(path, safe='/')}", 303)
