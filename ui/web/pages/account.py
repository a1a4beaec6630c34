"""The account page: `/account`."""

from pathlib import Path
from typing import Final

from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from ui.web.pages.components.account_board import AccountBoard
from ui.web.pages.frame import frame, to_login
from ui.web.parts import Web
from ui.web.people.person import NotLoggedIn

STYLES: Final = ("css/account.css",)
_PARTS: Final = sorted((Path(__file__).parent / "components" / "account").glob("*.js"))
MODULES: Final = (*(f"components/account/{path.name}" for path in _PARTS), "js/toasts.js", "js/wire.js", "js/words.js")
"""All that the page imports in the end, so that a browser fetches it in one go."""


def add_pages(web: Web) -> None:
    """Add the account page."""

    @ui.page("/account", language="en-US", dark=None)
    async def account(request: Request) -> Response | None:
        try:
            person = await web.people.of(request)
        except NotLoggedIn:
            return to_login(request)
        with frame(web, person, "Account", styles=STYLES, modules=MODULES):
            AccountBoard(person, web.settings.page_login, web.people.url_of(request))
        return None
