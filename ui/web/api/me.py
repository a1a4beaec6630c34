"""Who calls, and what they may do here: what a page needs to know before it shows a button."""

from collections.abc import Iterator

from fastapi import FastAPI
from starlette.responses import Response

from consumers.operations.registry import REGISTRY
from ui.web.api.access import Caller
from ui.web.api.faults import NO_STORE
from ui.web.api.intake import most_bytes
from ui.web.api.schema import Limits, Me, OperationTold
from ui.web.live.sample import Sample
from ui.web.parts import Web


def add_routes(app: FastAPI, web: Web) -> None:
    """Add the route."""

    async def me(person: Caller, response: Response) -> Me:
        """Who calls, and what they may do."""
        response.headers.update(NO_STORE)
        settings = web.settings
        return Me(
            name=person.name,
            role=person.role,
            login=settings.page_login,
            operations=list(operations_of(web.live.latest())),
            limits=Limits(max_bytes=most_bytes(settings), max_pixels=settings.max_pixels),
            kept_s=settings.page_kept_s,
        )

    app.add_api_route("/me", me, methods=["GET"], tags=["me"], response_model=Me)


def operations_of(seen: Sample) -> Iterator[OperationTold]:
    """Each operation, and whether a VM that is there, or the cloud, serves it."""
    for name, operation in REGISTRY.items():
        why = _why_not(name, seen)
        yield OperationTold(name=name, served=why is None, why=why, params=operation.params.model_json_schema())


def _in_the_cloud(operation: str, seen: Sample) -> bool:
    """Whether the cloud serves it; a bridge that names no operations may serve all."""
    return seen.cloud is not None and operation in (seen.cloud.operations or (operation,))


def _why_not(operation: str, seen: Sample) -> str | None:
    """Why nobody serves it now; None where somebody does."""
    if operation in seen.paused:
        return "An operator has paused it; jobs wait."
    there = [vm for vm in seen.vms.values() if vm.state != "lost"]
    if any(operation in vm.operations for vm in there) or _in_the_cloud(operation, seen):
        return None
    if not seen.connected:
        return "The page does not hear the machines just now; jobs wait."
    if not there:
        return "No machine is there; jobs wait."
    reasons = sorted({vm.not_served[operation] for vm in there if operation in vm.not_served})
    return reasons[0] if reasons else "No machine offers it; jobs wait."
