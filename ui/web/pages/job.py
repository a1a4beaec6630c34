"""The page of one job: `/jobs/ID`, for whoever sent it."""

from typing import Final

from nicegui import ui
from starlette.requests import Request
from starlette.responses import Response

from ui.web.pages.components.pictures.elements import MODULES, JobPage
from ui.web.pages.frame import frame, to_login
from ui.web.pages.work import SHARED, STYLES
from ui.web.parts import Web
from ui.web.people.person import NotLoggedIn

KEYS: Final = (("← →", "Move the line between before and after"), ("+ − 0", "Enlarge, reduce, show all"))


def add_pages(web: Web) -> None:
    """Add the page of a job."""

    @ui.page("/jobs/{job_id}", language="en-US", dark=None)
    async def job(request: Request, job_id: str) -> Response | None:
        try:
            person = await web.people.of(request)
        except NotLoggedIn:
            return to_login(request)
        record = await web.desk.get(person.name, job_id)
        title = (record.name or "Picture") if record else "Not found"
        with frame(web, person, title, styles=STYLES, modules=(*SHARED, *MODULES), keys=KEYS):
            if record:
                JobPage(record.id)
            else:
                missing()
        return None


def missing() -> None:
    """Say that there is no such job: none at all, one removed, or another user's."""
    ui.context.client.status_code = 404
    with ui.element("div").classes("hush"):
        ui.html("<h1>There is no such picture</h1>", sanitize=False)
        ui.html(
            '<p>It may have been removed: pictures are kept for a while only. <a href="/">All pictures</a></p>',
            sanitize=False,
        )
