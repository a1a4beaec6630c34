"""What most routes take: who calls, and which job."""

from typing import Annotated, Final

from fastapi import Depends, Path, Request, Security
from fastapi.security import APIKeyCookie, HTTPBearer

from ui.web.api.schema import ID
from ui.web.parts import Web
from ui.web.people.person import Person, not_allowed

_TOKEN: Final = HTTPBearer(
    scheme_name="token", bearerFormat="ovs_...", description="An API token, made on the page.", auto_error=False
)
_SESSION: Final = APIKeyCookie(
    name="overspill",
    scheme_name="session",
    description="The login of the page; over https the cookie is called `__Host-overspill`.",
    auto_error=False,
)


def web_of(request: Request) -> Web:
    """The parts of this process."""
    web: Web = request.app.state.web
    return web


async def caller(
    request: Request,
    _token: Annotated[object, Security(_TOKEN)],
    _session: Annotated[object, Security(_SESSION)],
) -> Person:
    """Who calls. Raises NotLoggedIn. The two schemes are there for the document: People knows both, and more."""
    return await web_of(request).people.of(request)


Caller = Annotated[Person, Depends(caller)]


async def operator(person: Caller) -> Person:
    """Who calls, an operator. Raises NotLoggedIn, and NotAllowed for everybody else."""
    if not person.is_operator:
        raise not_allowed("This is for operators.")
    return person


Operator = Annotated[Person, Depends(operator)]
JobId = Annotated[str, Path(json_schema_extra={"pattern": ID}, description="The job's id.")]
"""The pattern is told and not enforced: what can't be an id is no job, like any other."""
