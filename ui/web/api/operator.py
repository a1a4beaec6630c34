"""What an operator may ask for: drain a VM, pause an operation, look at dead jobs, send one again, remove one."""

import logging
from typing import Annotated, Any, Final, Self

from fastapi import FastAPI, Path, Query
from pydantic import Field
from starlette.responses import Response

from bus.attempts import Attempt
from bus.control import Drain, Operation, Pause
from bus.errors import ProblemError
from bus.problems import Kind, Problem
from bus.topology import VM_NAME
from producers.dead_letters import MOST_LISTED, NoSuchLetter, NotReplayable
from producers.letter import Letter
from ui.fleet.orders import Order
from ui.web.api.access import Operator
from ui.web.api.document import problems
from ui.web.api.faults import NO_STORE, Gone
from ui.web.api.schema import Told
from ui.web.parts import Web
from ui.web.people.person import Person

log = logging.getLogger(__name__)

_VmName = Annotated[str, Path(pattern=VM_NAME, description="The VM's name.")]
_OperationName = Annotated[Operation, Path(description="The operation.")]
_LetterId = Annotated[str, Path(pattern=r"^[0-9a-f]{32}$", description="The letter's id.")]
_Limit = Annotated[int, Query(ge=1, le=MOST_LISTED, description="How many at the most.")]
_Force = Annotated[
    bool,
    Query(description="Send it again though that was done three times already, or its reply queue is gone."),
]


class Said(Told):
    """What came of an order."""

    said: str | None = Field(
        None,
        description="The active router's word on it; null where none answers: then the order is kept for the next.",
    )


class LetterTold(Told):
    """One dead job."""

    id: str = Field(description="Made of what it holds: two that are alike share it.")
    job: str = Field(description="Its sender's id of it.")
    user: str
    operation: str
    reason: str = Field(description="Why it died.")
    bytes: int = Field(description="Of its picture.")
    type: str | None = Field(None, description="Of its picture, as its sender called it.")
    site: str
    claimed: bool = Field(description="Whether the picture lies in the blob store.")
    dead_ms: int | None = Field(None, description="When it died.")
    replays: int = Field(description="How often it was sent again.")
    history: list[Attempt] = Field(description="Its first attempt and the latest ones, the oldest first.")
    refused: str | None = Field(None, description="Why it can't be sent again.")

    @classmethod
    def of(cls, letter: Letter) -> Self:
        """The letter as it is told."""
        return cls.model_validate(letter, from_attributes=True)


class LetterList(Told):
    """The first dead jobs."""

    letters: list[LetterTold]
    more: bool = Field(description="Whether there are others behind them.")


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes."""
    orders, letters = _Orders(web), _Letters(web)
    add, told = app.add_api_route, _TOLD
    add("/vms/{name}/drain", orders.drain, methods=["POST"], response_model=Said, **told)
    add("/vms/{name}/resume", orders.use_again, methods=["POST"], response_model=Said, **told)
    add("/operations/{name}/pause", orders.pause, methods=["POST"], response_model=Said, **told)
    add("/operations/{name}/resume", orders.go_on, methods=["POST"], response_model=Said, **told)
    add("/dead", letters.all, methods=["GET"], response_model=LetterList, **told)
    one = {**told, "responses": problems(404, 409, 422)}
    add("/dead/{letter_id}/replay", letters.replay, methods=["POST"], response_model=LetterTold, **one)
    add("/dead/{letter_id}", letters.remove, methods=["DELETE"], status_code=204, **{**one, "responses": _REMOVED})


_TOLD: Final[dict[str, Any]] = {"tags": ["operator"], "responses": problems(422)}
_REMOVED: Final = problems(404, 422)


class _Orders:
    """The routes that steer."""

    def __init__(self, web: Web) -> None:
        self._web = web

    async def drain(self, person: Operator, name: _VmName) -> Said:
        """Give a VM no more jobs, and take back those it has not begun."""
        return await self._give(person, Drain(vm=name))

    async def use_again(self, person: Operator, name: _VmName) -> Said:
        """Give a drained VM jobs again."""
        return await self._give(person, Drain(vm=name, resume=True))

    async def pause(self, person: Operator, name: _OperationName) -> Said:
        """Place no more jobs of an operation; they wait in line."""
        return await self._give(person, Pause(operation=name))

    async def go_on(self, person: Operator, name: _OperationName) -> Said:
        """Place the jobs of a paused operation again."""
        return await self._give(person, Pause(operation=name, resume=True))

    async def _give(self, person: Person, order: Order) -> Said:
        _need_broker(self._web, "nothing was changed")
        said = await self._web.live.orders.give(order)
        log.warning("%s ordered %s: %s", person.name, order.key, said or "no router answered, the order is kept")
        return Said(said=said)


class _Letters:
    """The routes of the dead queue."""

    def __init__(self, web: Web) -> None:
        self._web, self._letters, self._desk = web, web.live.letters, web.desk

    async def all(self, _person: Operator, response: Response, limit: _Limit = 100) -> LetterList:
        """The first dead jobs, with what became of them; each stays where it is."""
        response.headers.update(NO_STORE)
        _need_broker(self._web, "the dead jobs lie there")
        found = await self._letters.list(limit)
        return LetterList(letters=[LetterTold.of(letter) for letter in found.letters], more=found.more)

    async def replay(self, person: Operator, letter_id: _LetterId, *, force: _Force = False) -> LetterTold:
        """Send a dead job to the lanes again, its attempts counted anew and without a deadline.

        A job of this page is under way again with it, and ends by its answer.
        """
        _need_broker(self._web, "nothing was sent")
        try:
            letter = await self._letters.replay(letter_id, by=person.name, force=force, within=self._desk.reopened)
            return LetterTold.of(letter)
        except NoSuchLetter as error:
            raise Gone(str(error)) from None
        except NotReplayable as error:
            raise ProblemError(Problem.of(Kind.NOT_NOW, str(error), remedy=_INSIST)) from None

    async def remove(self, person: Operator, letter_id: _LetterId) -> None:
        """Take a dead job out for good, with its picture."""
        _need_broker(self._web, "nothing was removed")
        try:
            await self._letters.purge(letter_id, by=person.name)
        except NoSuchLetter as error:
            raise Gone(str(error)) from None


def _need_broker(web: Web, so: str) -> None:
    """Raises NOT_READY when the broker is away, which says `so` what did not happen."""
    if not web.bus.connected:
        problem = Problem.of(Kind.NOT_READY, f"The broker is away: {so}.", retry_after_s=_AWAY_S)
        raise ProblemError(problem)


_AWAY_S: Final = 5.0
_INSIST: Final = "Mend that first; or send it again all the same, with `force=true`; or remove it."
