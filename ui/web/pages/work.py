"""The work page: drop photographs, watch them move, take the results."""

from typing import Final

from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from ui.web.pages.assets import BASE, serve_assets
from ui.web.pages.components.pictures.elements import MODULES, Board, Sample
from ui.web.pages.frame import frame, to_login
from ui.web.parts import Web
from ui.web.people.person import NotLoggedIn

SAMPLES: Final = tuple(
    Sample(name=name, url=f"{BASE}/samples/{name}", small=f"{BASE}/samples/small/{name}", title=title)
    for name, title in (("cup.jpg", "a cup of coffee"), ("cat.jpg", "a cat"), ("rocket.jpg", "a rocket"))
)
KEYS: Final = (
    ("u", "Choose pictures"),
    ("1 2 3", "Choose what to do"),
    ("s", "Start what is ready"),
    ("j k", "Next picture, the one before"),
    ("o", "Open the picture in focus"),
    ("w", "Why did it run there?"),
    ("d", "Download it"),
    ("c", "Copy its caption"),
    ("r", "Try it again"),
    ("x", "Cancel or remove it"),
    ("← →", "Move the line between before and after"),
    ("+ − 0", "Enlarge, reduce, show all"),
)
STYLES: Final = ("css/pictures.css", "css/tray.css", "css/cards.css", "css/compare.css", "css/viewer.css")
SHARED: Final = ("js/frame.js", "js/toasts.js", "js/wire.js", "js/words.js", "js/feed.js")


def add_pages(web: Web) -> None:
    """Add the work page, and serve what all pages load."""
    serve_assets()

    @ui.page("/", language="en-US", dark=None)
    async def work(request: Request) -> Response | None:
        try:
            person = await web.people.of(request)
        except NotLoggedIn:
            return to_login(request)
        with frame(web, person, "Pictures", styles=STYLES, modules=(*SHARED, *MODULES), keys=KEYS):
            Board(SAMPLES)
            credits_of_samples()
        return None


def credits_of_samples() -> None:
    """Whose photographs the samples are."""
    with ui.element("footer").classes("credits"):
        ui.html(
            "Samples: cup by Rachel Michetti, courtesy of Pikolo Espresso Bar (CC0); cat by Stefan van der Walt (CC0); "
            "rocket by SpaceX (CC0). From scikit-image.",
            sanitize=False,
        )
