"""API tokens: made, listed, revoked. Only who has logged in may; a token can't make tokens."""

from typing import Annotated, Any, Final, Self

from fastapi import FastAPI, Path
from pydantic import Field
from starlette.responses import Response

from ui.web.api.access import Caller
from ui.web.api.document import problems
from ui.web.api.faults import NO_STORE, Gone
from ui.web.api.schema import Told
from ui.web.parts import Web
from ui.web.people.people import People
from ui.web.people.tokens import LONGEST_LABEL, Token

TokenId = Annotated[str, Path(pattern=r"^[0-9a-f]{16}$", description="The token's id.")]


class TokenWanted(Told):
    """A token to be made."""

    name: str = Field(min_length=1, max_length=LONGEST_LABEL, description="What it is for.", examples=["nightly batch"])


class TokenTold(Told):
    """A token, but for itself."""

    id: str = Field(description="The part of it between `ovs_` and the next `_`.")
    name: str
    created_ms: int
    used_ms: int | None = Field(None, description="When it was last used, to the minute.")

    @classmethod
    def of(cls, kept: Token, **more: Any) -> Self:
        """The token as it is kept."""
        return cls(id=kept.id, name=kept.label, created_ms=kept.made_ms, used_ms=kept.used_ms, **more)


class TokenMade(TokenTold):
    """A new token."""

    token: str = Field(description="Send it as `Authorization: Bearer ovs_...`. Told this once.")


class TokenList(Told):
    """The caller's tokens, newest first."""

    tokens: list[TokenTold]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes of tokens."""
    tokens = _Tokens(web.people)
    add = app.add_api_route
    told: dict[str, Any] = {"tags": ["tokens"]}
    add("/tokens", tokens.all, methods=["GET"], response_model=TokenList, **told)
    add("/tokens", tokens.add, methods=["POST"], status_code=201, response_model=TokenMade, responses=_ADDED, **told)
    add("/tokens/{token_id}", tokens.remove, methods=["DELETE"], status_code=204, responses=_REMOVED, **told)


_ADDED: Final = problems(409, 413, 422)
_REMOVED: Final = problems(404, 422)


class _Tokens:
    """The routes."""

    def __init__(self, people: People) -> None:
        self._people = people

    async def all(self, person: Caller, response: Response) -> TokenList:
        """The caller's tokens."""
        response.headers.update(NO_STORE)
        return TokenList(tokens=[TokenTold.of(kept) for kept in await self._people.tokens_of(person.name)])

    async def add(self, person: Caller, wanted: TokenWanted, response: Response) -> TokenMade:
        """A new token. It may do all that its maker may, but make or revoke tokens and make or change webhooks."""
        response.headers.update(NO_STORE)
        kept, token = await self._people.add_token(person, wanted.name)
        return TokenMade.of(kept, token=token)

    async def remove(self, person: Caller, token_id: TokenId) -> Response:
        """Revoke a token: it is refused from now on."""
        if not await self._people.remove_token(person, token_id):
            raise Gone("You have no such token.")
        return Response(status_code=204, headers=NO_STORE)
