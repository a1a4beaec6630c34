"""The dashboard, for operators: the fleet, live."""

from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from bus.page_settings import Login
from ui.web.pages.components.fleet_board import FleetBoard
from ui.web.pages.frame import frame, to_login
from ui.web.parts import Web
from ui.web.people.person import NotLoggedIn, Person

ADDRESS = "/dashboard"
STYLES = ("css/dashboard.css", "css/now.css", "css/machines.css", "css/queues.css")
_PARTS = (
    "ask", "attention", "chart", "cloud", "coded", "feed", "figures", "flow", "letters", "operations", "paint",
    "painter", "queues", "series", "states", "tiles", "vm_card", "vms", "words",
)  # fmt: skip
MODULES = (
    *(f"components/dashboard/{part}.js" for part in _PARTS),
    "js/feed.js",
    "js/toasts.js",
    "js/wire.js",
    "js/words.js",
)
"""All that the page imports in the end, so that a browser fetches it in one go."""


def add_pages(web: Web) -> None:
    """Serve the dashboard at `/dashboard`."""

    @ui.page(ADDRESS, language="en-US", dark=None)
    async def dashboard(request: Request) -> Response | None:
        try:
            person = await web.people.of(request)
        except NotLoggedIn:
            return to_login(request)
        show(web, person)
        return None


def show(web: Web, person: Person) -> None:
    """The page, or to whoever is no operator why it is none for them, as 403."""
    if not person.is_operator:
        ui.context.client.status_code = 403
        return _refuse(web, person)
    with frame(web, person, "Dashboard", styles=STYLES, modules=MODULES):
        FleetBoard()
    return None


def remedy(login: Login, name: str) -> str:
    """What makes somebody an operator, where people come in by `login`."""
    return f"OVERSPILL_PAGE_OPERATORS={name}" if login == "proxy" else f"overspill user role {name} operator"


def _refuse(web: Web, person: Person) -> None:
    with frame(web, person, "For operators", styles=STYLES), ui.element("section").classes("refusal"):
        ui.html("The dashboard is for operators", sanitize=False, tag="h1")
        ui.label(f"You are logged in as {person.name}. Whoever runs this site can make you an operator:")
        with ui.element("code"):
            ui.label(remedy(web.settings.page_login, person.name))
        ui.link("Back to your pictures", "/").classes("button")
