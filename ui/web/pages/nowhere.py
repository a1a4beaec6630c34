"""What is answered where there is no page: plain HTML, or a problem for programs.

NiceGUI's own answer is a page with a socket and a minute's memory, built for whoever asks, logged in or not.
"""

from typing import Final

from nicegui import app
from starlette.requests import Request
from starlette.responses import HTMLResponse, Response

from bus.problems import Kind, Problem
from ui.web.api.faults import NO_STORE, problem_response
from ui.web.pages import login_form
from ui.web.pages.assets import BASE
from ui.web.parts import Web

_CONTENT: Final = (
    '<h1>There is no such page</h1><p class="door__hint">The address may have a slip in it.</p>'
    '<a class="button main" href="/">To the pictures</a>'
)


def add_pages(_web: Web) -> None:
    """Answer so, from now on, whatever no route takes."""
    app.add_exception_handler(404, nowhere)


async def nowhere(request: Request, _error: Exception) -> Response:
    """The answer to one request."""
    if "text/html" not in request.headers.get("accept", ""):
        return problem_response(Problem.of(Kind.NOT_FOUND, "There is nothing at this address."))
    return HTMLResponse(login_form.document(BASE, "Not found", _CONTENT), 404, NO_STORE)
