"""`overspill cancel`, `pause`, `resume`, `vm drain` and `vm resume`: what an operator asks of the running system."""

import asyncio
import time
import uuid
from collections.abc import Callable
from dataclasses import replace
from typing import Annotated, Final, TypeVar

import typer
from pydantic import ValidationError

from bus import settings
from bus.control import Cancel, Drain, Pause, command_message
from bus.messages import operation_problem
from bus.problems import bad_field
from bus.topology import CONTROL, OPERATIONS, Queue, Topology, shared
from telemetry.process import set_up_logs
from ui.commands.jobs import me
from ui.commands.wording import printable
from ui.stack.state import broker_url

NO_ANSWER: Final = "No router answered: the order is kept, and is carried out when one runs."
_CONNECT_WITHIN_S: Final = 3.0
_ANSWER_WITHIN_S: Final = 5.0
_REPLIES_EXPIRE_MS: Final = 60_000

Order = Cancel | Drain | Pause
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


def _carry_out(command: Order) -> None:
    set_up_logs("CRITICAL")  # what goes wrong is told once, with its remedy
    said = asyncio.run(give(command, broker_url(settings.load()), within_s=_ANSWER_WITHIN_S))
    print(NO_ANSWER if said is None else printable(said))


async def give(command: Order, url: str, *, within_s: float) -> str | None:
    """Have the broker keep a command, and wait for the active router's word on it; None when none comes in time.

    Raises SetupError when no broker answers, another BusError when it doesn't take the command.
    """
    from bus.rabbit import Bus, Delivery  # noqa: PLC0415 (a usage error doesn't wait for this import)

    replies, order = f"replies.{uuid.uuid4().hex}", uuid.uuid4().hex
    answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()

    def hear(delivery: Delivery) -> None:
        if delivery.message.correlation_id == order and not answer.done():
            answer.set_result(delivery.message.body.decode(errors="replace").strip())
        bus.ack(delivery)

    bus = Bus(url, name="order", topology=_with_replies(replies))
    await bus.consume(replies, hear, prefetch=1)
    await bus.start(_CONNECT_WITHIN_S)
    try:
        message = command_message(command, command.key, reply_to=replies)
        # Jobs of the same id that are sent later are not meant.
        await bus.publish(CONTROL, replace(message, correlation_id=order, timestamp=int(time.time())))
        await asyncio.wait({answer}, timeout=within_s)
        await bus.delete(replies)
    finally:
        await bus.close()
    return answer.result() if answer.done() else None


def _with_replies(name: str) -> Topology:
    # Classic, as it is gone in seconds; the broker forgets it by itself when we have no time to.
    replies = Queue(name, {"x-queue-type": "classic", "x-expires": _REPLIES_EXPIRE_MS})
    all_of_it = shared()
    return Topology(all_of_it.exchanges, (*all_of_it.queues, replies), all_of_it.bindings)
