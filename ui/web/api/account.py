"""The caller's own account: its password, and the logins that hold."""

from typing import Any, Final

from fastapi import FastAPI, Request
from pydantic import Field
from starlette.responses import Response

from ui.web.api.access import Caller
from ui.web.api.document import problems
from ui.web.api.faults import NO_STORE
from ui.web.api.schema import Told
from ui.web.parts import Web
from ui.web.people.passwords import LONGEST
from ui.web.people.people import People
from ui.web.people.person import Person, not_allowed
from ui.web.people.sessions import Session


class NewPassword(Told):
    """A change of password."""

    old: str = Field(min_length=1, max_length=LONGEST, repr=False)
    new: str = Field(min_length=1, max_length=LONGEST, repr=False)


class SessionTold(Told):
    """One login that holds."""

    created_ms: int
    seen_ms: int = Field(description="When it was last used, to the minute.")
    address: str = Field(description="Where it came from.")
    agent: str = Field(description="What the browser calls itself.")


class SessionList(Told):
    """The logins that hold, the latest used first."""

    sessions: list[SessionTold]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes of one's own account."""
    account = _Account(web.people)
    add = app.add_api_route
    told: dict[str, Any] = {"tags": ["me"]}
    add("/me/password", account.change_password, methods=["POST"], status_code=204, responses=_CHANGED, **told)
    add("/me/sessions", account.sessions, methods=["GET"], response_model=SessionList, **told)
    add("/me/sessions", account.log_out_everywhere, methods=["DELETE"], status_code=204, **told)


_CHANGED: Final = problems(413, 422)


class _Account:
    """The routes."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def change_password(self, request: Request, person: Caller, wanted: NewPassword) -> Response:
        """Change one's password. All logins end but the caller's, which goes on under a new cookie."""
        cookie = await self._people.change_password(person, wanted.old, wanted.new, request)
        return Response(status_code=204, headers={**NO_STORE, "set-cookie": cookie})

    async def sessions(self, person: Caller, response: Response) -> SessionList:
        """The logins that hold."""
        response.headers.update(NO_STORE)
        return SessionList(sessions=[_told(session) for session in await self._people.sessions_of(person.name)])

    async def log_out_everywhere(self, request: Request, person: Caller) -> Response:
        """End all logins, the caller's too. API tokens stay."""
        _check_logged_in(person)
        await self._people.log_out_everywhere(person.name)
        return Response(status_code=204, headers={**NO_STORE, "set-cookie": await self._people.log_out(request)})


def _told(session: Session) -> SessionTold:
    return SessionTold(
        created_ms=session.made_ms, seen_ms=session.seen_ms, address=session.address, agent=session.agent
    )


def _check_logged_in(person: Person) -> None:
    """Raises NotAllowed for an API token, and where there are no logins."""
    if person.via != "session":
        raise not_allowed("Logins are ended by those who have logged in themselves.")
