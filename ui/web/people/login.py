"""`POST /login` and `POST /logout`: from the login page's plain forms, and from programs as JSON."""

from typing import Any, Final
from urllib.parse import urlencode

from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response
from starlette.routing import BaseRoute, Route

from bus.errors import BadInput, ProblemError
from bus.problems import Kind, Problem
from bus.wire import JSON
from ui.web.api.faults import problem_response
from ui.web.people.next_page import HOME, next_page
from ui.web.people.people import People
from ui.web.people.person import NotLoggedIn, TooMany

_NO_STORE: Final = {"cache-control": "no-store"}


class Login(BaseModel):
    """What is sent to log in."""

    model_config = ConfigDict(frozen=True)

    name: str = Field(min_length=1, max_length=200)
    password: str = Field(min_length=1, max_length=1024, repr=False)
    next: str | None = None


def login_routes(people: People) -> list[BaseRoute]:
    """The two routes. The page at `GET /login` is told by `?error=wrong`, or `?error=wait&seconds=30`, what failed."""

    async def log_in(request: Request) -> Response:
        try:
            login = await _read(request)
        except BadInput as error:
            return problem_response(error.problem) if _is_program(request) else _to("/login?error=wrong")
        try:
            person, kept = await people.check_password(login.name, login.password, request)
            cookie = await people.log_in(person, request, kept)
        except ProblemError as error:
            return _refused(request, error, login)
        told = JSONResponse({"name": person.name, "role": person.role}, headers=_NO_STORE)
        return _with(cookie, told if _is_program(request) else _to(next_page(login.next)))

    async def log_out(request: Request) -> Response:
        cookie = await people.log_out(request)
        there = "/login" if people.settings.page_login in {"accounts", "oidc"} else HOME
        return _with(cookie, Response(status_code=204, headers=_NO_STORE) if _is_program(request) else _to(there))

    return [Route("/login", log_in, methods=["POST"]), Route("/logout", log_out, methods=["POST"])]


async def _read(request: Request) -> Login:
    """Raises BadInput for what is no login."""
    try:
        given: Any = (
            await request.json() if _sends_json(request) else dict(await request.form(max_files=0, max_fields=8))
        )
    except Exception:  # noqa: BLE001 (whatever the parsers of bodies raise, it can't be read)
        raise BadInput(Problem.of(Kind.BAD_REQUEST, "The login can't be read.")) from None
    try:
        return Login.model_validate(given)
    except ValidationError as error:
        names = {part for fault in error.errors() for part in map(str, fault["loc"])}
        field = next(iter(sorted(names & {"name", "password", "next"})), None)
        # Without what was given: it may be a password.
        detail = f"{field or 'body'}: is missing, or not as it must be."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail, field=field)) from None


def _sends_json(request: Request) -> bool:
    return request.headers.get("content-type", "").startswith(JSON)


def _is_program(request: Request) -> bool:
    """Whether a program asks, which is not shown a page: it sends JSON, or asks for it."""
    return _sends_json(request) or request.headers.get("accept", "").startswith(JSON)


def _refused(request: Request, error: ProblemError, login: Login) -> Response:
    if _is_program(request) or not isinstance(error, NotLoggedIn | TooMany):
        return problem_response(error.problem)
    told: dict[str, Any] = {"error": "wrong"}
    if isinstance(error, TooMany):
        told = {"error": "wait", "seconds": round(error.problem.retry_after_s or 1)}
    back = next_page(login.next)
    return _to("/login?" + urlencode(told | ({} if back == HOME else {"next": back})))


def _to(path: str) -> Response:
    return RedirectResponse(path, 303, _NO_STORE)


def _with(cookie: str, response: Response) -> Response:
    response.headers.append("set-cookie", cookie)
    return response
