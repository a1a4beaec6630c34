"""`overspill cancel`, `pause`, `resume`, `vm drain` and `vm resume`: what an operator asks of the running system."""

import asyncio
from collections.abc import Callable
from typing import Annotated, TypeVar

import typer
from pydantic import ValidationError

from bus import settings
from bus.control import Cancel, Drain, Pause
from bus.messages import operation_problem
from bus.problems import bad_field
from bus.topology import OPERATIONS, shared
from telemetry.process import set_up_logs
from ui.commands.jobs import me
from ui.commands.wording import printable
from ui.stack.state import CONNECT_WITHIN_S, broker_url

AnyOrder = TypeVar("AnyOrder", Cancel, Drain)

VmName = Annotated[str, typer.Argument(metavar="NAME", help="The VM's name, as `overspill status` shows it.")]
Operation = Annotated[str, typer.Argument(help=f"One of {', '.join(OPERATIONS)}.")]


def register(app: typer.Typer) -> None:
    """Add the commands; those of a VM are in its own group."""
    app.command()(cancel)
    app.command()(pause)
    app.command()(resume)


def register_for_vms(group: typer.Typer) -> None:
    """Add the commands about one VM."""
    group.command("drain")(drain)
    group.command("resume")(undrain)


def cancel(
    job: Annotated[str, typer.Argument(help="The job's id, as `overspill submit --json` tells it.")],
    *,
    user: Annotated[str | None, typer.Option(help="Whose job it is. Default: you.")] = None,
) -> None:
    """Cancel a job wherever it is; its sender gets the problem `cancelled` for an answer."""
    _carry_out(_meant(lambda: Cancel(job=job, user=user or me())))


def pause(operation: Operation) -> None:
    """Place no more jobs of an operation until `resume`; they wait in line."""
    _carry_out(_of_operation(operation, resume=False))


def resume(operation: Operation) -> None:
    """Place the jobs of a paused operation again."""
    _carry_out(_of_operation(operation, resume=True))


def drain(vm: VmName) -> None:
    """Give a VM no more jobs, and take back those it has not begun, until `vm resume`."""
    _carry_out(_meant(lambda: Drain(vm=vm)))


def undrain(vm: VmName) -> None:
    """Give a drained VM jobs again."""
    _carry_out(_meant(lambda: Drain(vm=vm, resume=True)))


def _of_operation(operation: str, *, resume: bool) -> Pause:
    if operation not in OPERATIONS:
        raise typer.BadParameter(operation_problem(operation, OPERATIONS).detail)
    return Pause.model_validate({"operation": operation, "resume": resume})


def _meant(make: Callable[[], AnyOrder]) -> AnyOrder:
    try:
        return make()
    except ValidationError as error:
        raise typer.BadParameter(bad_field(error).detail) from None


def _carry_out(command: Cancel | Drain | Pause) -> None:
    from ui.fleet.orders import ANSWER_WITHIN_S, NO_ANSWER  # noqa: PLC0415 (a usage error doesn't wait for this import)

    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    said = asyncio.run(give(command, broker_url(settings.load()), within_s=ANSWER_WITHIN_S))
    print(NO_ANSWER if said is None else printable(said))


async def give(command: Cancel | Drain | Pause, url: str, *, within_s: float) -> str | None:
    """Have the broker keep a command, and wait for the active router's word on it; None when none comes in time.

    Raises SetupError when no broker answers, another BusError when it doesn't take the command.
    """
    from bus.rabbit import Bus  # noqa: PLC0415 (as above)
    from ui.fleet.orders import Orders  # noqa: PLC0415

    bus = Bus(url, name="order", topology=shared())
    await bus.start(CONNECT_WITHIN_S)
    orders = Orders(bus)
    try:
        await orders.start()
        return await orders.give(command, within_s=within_s)
    finally:
        await orders.close()
        await bus.close()
