"""One picture and what is to be done with it, from a request to a job of the desk."""

from collections.abc import Mapping
from dataclasses import replace
from types import MappingProxyType

from fastapi import Request

from bus.settings import Settings
from bus.trace_context import readable
from ui.web.api.asking import order_of
from ui.web.api.forms import boundary_of
from ui.web.api.receiving import receive
from ui.web.jobs.record import Accepted
from ui.web.parts import Web
from ui.web.people.person import Person


def most_bytes(settings: Settings) -> int:
    """The most bytes a picture may have: a blob store takes larger ones than a message."""
    return max(settings.max_image_bytes, settings.max_claim_bytes if settings.blobs else 0)


async def take(
    request: Request,
    web: Web,
    person: Person,
    given: Mapping[str, str],
    *,
    decided: Mapping[str, str] = MappingProxyType({}),
    idempotency_key: str | None = None,
) -> Accepted:
    """Read the picture and accept the job. Fields of a form go before those `given`, those `decided` before both.

    What can be refused before the body is read is. Raises BadInput, TooMany and NotLoggedIn.
    """
    if boundary_of(request.headers.get("content-type", "")) is None:
        order_of(person, {**given, **decided})
    with web.people.upload(person):
        async with web.desk.incoming(person.name, idempotency_key) as picture:
            if picture.is_kept:  # else it is a job of before, sent again
                web.people.count_job(person)
            came = await receive(request, picture, most_bytes(web.settings))
            fields = {**given, **came.fields, **decided}
            fields.setdefault("name", came.file_name or "")
            await web.people.of(request)  # a login may end while a picture comes
            order = order_of(person, fields, idempotency_key)
            under = readable(request.headers.get("traceparent"))
            return await web.desk.accept(replace(order, traceparent=under), picture)
