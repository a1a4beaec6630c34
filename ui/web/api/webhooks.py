"""Webhooks: made, listed, tried out, removed, and what came of their deliveries.

A token may only look at them: a webhook goes on sending results when the token that made it has long been revoked.
"""

from typing import Annotated, Any, Final, Self

from fastapi import FastAPI, Path, Query
from pydantic import Field
from starlette.responses import Response

from ui.web.api.access import Caller
from ui.web.api.document import problems
from ui.web.api.faults import NO_STORE
from ui.web.api.schema import BASE, ID, Told
from ui.web.parts import Web
from ui.web.people.person import Person, not_allowed
from ui.web.webhooks.deliveries import Delivery, State
from ui.web.webhooks.hooks import EVENTS, Event, Hook
from ui.web.webhooks.reach import LONGEST_URL

HookId = Annotated[str, Path(pattern=ID, description="The webhook's id.")]


class WebhookWanted(Told):
    """A webhook to be made."""

    url: str = Field(
        min_length=1,
        max_length=LONGEST_URL,
        description="Where to POST to.",
        examples=["https://hooks.example/overspill"],
    )
    events: list[Event] = Field(
        list(EVENTS), min_length=1, max_length=len(EVENTS), description="Which ends of jobs to tell of."
    )


class WebhookTold(Told):
    """A webhook."""

    id: str = Field(pattern=ID)
    url: str
    events: list[Event]
    created_ms: int
    switched_off: str | None = Field(None, description="Why it gets no more; a test that arrives switches it on again.")
    deliveries: str = Field(description="Where its deliveries are listed.")

    @classmethod
    def of(cls, hook: Hook, **more: Any) -> Self:
        """The webhook as it is kept, without its secret."""
        return cls(
            id=hook.id,
            url=hook.url,
            events=list(hook.events),
            created_ms=hook.created_ms,
            switched_off=hook.switched_off,
            deliveries=f"{BASE}/webhooks/{hook.id}/deliveries",
            **more,
        )


class WebhookMade(WebhookTold):
    """A new webhook, or one with a new secret."""

    secret: str = Field(description="What deliveries are signed with. Told this once.", examples=["whsec_bm90IG9uZQ=="])


class WebhookList(Told):
    """The caller's webhooks."""

    webhooks: list[WebhookTold]


class AttemptTold(Told):
    """One call of the receiver."""

    at_ms: int
    ms: int = Field(description="How long it took.")
    status: int | None = Field(None, description="What the receiver answered; null where it did not.")
    said: str = Field(description="What came of it, in words.")


class DeliveryTold(Told):
    """One message to a webhook."""

    id: str = Field(description="The header `webhook-id`, the same in every attempt.")
    event: str = Field(description="`done`, `failed`, `cancelled` or `test`.")
    job: str | None = Field(None, description="Whose end it tells; null of a test.")
    state: State
    created_ms: int
    due_ms: int | None = Field(None, description="When it is tried next; null once it has ended.")
    attempts: list[AttemptTold]

    @classmethod
    def of(cls, delivery: Delivery) -> Self:
        """The delivery as it is kept, without its body."""
        return cls(
            id=delivery.id,
            event=delivery.event,
            job=delivery.job,
            state=delivery.state,
            created_ms=delivery.created_ms,
            due_ms=delivery.due_ms if delivery.state == "waiting" else None,
            attempts=[AttemptTold(at_ms=a.at_ms, ms=a.ms, status=a.status, said=a.said) for a in delivery.attempts],
        )


class DeliveryList(Told):
    """Deliveries, newest first; they are kept for three days, and no longer than their jobs."""

    deliveries: list[DeliveryTold]


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the routes of webhooks."""
    hooks = _Webhooks(web)
    add = app.add_api_route
    told: dict[str, Any] = {"tags": ["webhooks"]}
    one = "/webhooks/{hook_id}"
    add("/webhooks", hooks.all, methods=["GET"], response_model=WebhookList, **told)
    add("/webhooks", hooks.add, methods=["POST"], status_code=201, response_model=WebhookMade, responses=_ADDED, **told)
    add(one, hooks.remove, methods=["DELETE"], status_code=204, responses=_ABSENT, **told)
    add(f"{one}/secret", hooks.renew, methods=["POST"], response_model=WebhookMade, responses=_ABSENT, **told)
    add(f"{one}/deliveries", hooks.deliveries, methods=["GET"], response_model=DeliveryList, responses=_ABSENT, **told)
    add(f"{one}/test", hooks.test, methods=["POST"], response_model=DeliveryTold, responses=_TESTED, **told)


_ADDED: Final = problems(409, 413, 422)
_ABSENT: Final = problems(404, 422)
_TESTED: Final = problems(404, 409, 422)


class _Webhooks:
    """The routes."""

    def __init__(self, web: Web) -> None:
        self._webhooks = web.webhooks

    async def all(self, person: Caller, response: Response) -> WebhookList:
        """The caller's webhooks."""
        response.headers.update(NO_STORE)
        return WebhookList(webhooks=[WebhookTold.of(hook) for hook in await self._webhooks.of(person.name)])

    async def add(self, person: Caller, wanted: WebhookWanted, response: Response) -> WebhookMade:
        """Be told when a job ends, from now on: a signed POST, as Standard Webhooks has it. At most ten a user.

        API tokens are refused: a webhook would outlive them.
        """
        _check_logged_in(person)
        response.headers.update(NO_STORE)
        hook = await self._webhooks.add(person.name, wanted.url, wanted.events)
        return WebhookMade.of(hook, secret=hook.secret)

    async def remove(self, person: Caller, hook_id: HookId) -> Response:
        """Be told no more; what is still to be delivered is not. API tokens are refused."""
        _check_logged_in(person)
        await self._webhooks.remove(person.name, hook_id)
        return Response(status_code=204, headers=NO_STORE)

    async def renew(self, person: Caller, hook_id: HookId, response: Response) -> WebhookMade:
        """Sign with a new secret. For a day deliveries bear a signature by the old one too. API tokens are refused."""
        _check_logged_in(person)
        response.headers.update(NO_STORE)
        hook = await self._webhooks.renew_secret(person.name, hook_id)
        return WebhookMade.of(hook, secret=hook.secret)

    async def deliveries(
        self, person: Caller, hook_id: HookId, response: Response, limit: Annotated[int, Query(ge=1, le=200)] = 50
    ) -> DeliveryList:
        """What was sent, and what came of it."""
        response.headers.update(NO_STORE)
        found = await self._webhooks.deliveries(person.name, hook_id, limit)
        return DeliveryList(deliveries=[DeliveryTold.of(delivery) for delivery in found])

    async def test(self, person: Caller, hook_id: HookId, response: Response) -> DeliveryTold:
        """Send a test now, once, and tell what came of it. One that arrives switches the webhook on again.

        API tokens are refused.
        """
        _check_logged_in(person)
        response.headers.update(NO_STORE)
        return DeliveryTold.of(await self._webhooks.test(person.name, hook_id))


def _check_logged_in(person: Person) -> None:
    """Raises NotAllowed for an API token."""
    if person.via == "token":
        raise not_allowed("Webhooks are made and changed by those who have logged in themselves.")
