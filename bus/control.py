"""What is asked of routers and VMs on the exchange `control`: cancel a job, drain a VM, pause an operation.

Each is one small JSON document. All of them reach the active router through the durable queue `control.router`, so
that what is asked while no router runs is done when one comes; VMs hear them live.
"""

from typing import Annotated, Literal

from pydantic import Field, TypeAdapter, ValidationError

from bus.errors import BadInput
from bus.messages import ANONYMOUS, Message
from bus.problems import bad_field
from bus.topology import OPERATIONS, VM_NAME
from bus.wire import JSON, MOST, ShortStr, WireModel

Operation = Literal["sketch", "remove-background", "caption"]
assert Operation.__args__ == OPERATIONS  # type: ignore[attr-defined]  # noqa: S101 (one list, told twice to mypy)


class Cancel(WireModel):
    """Answer the job with the problem `cancelled`, wherever it is; one that is not found is remembered for a while."""

    kind: Literal["cancel"] = "cancel"
    job: ShortStr = Field(min_length=1, description="The `message_id` of the job.")
    user: str = Field(ANONYMOUS, min_length=1, max_length=128, description="Whose job it is.")

    @property
    def key(self) -> str:
        """The routing key on `control`."""
        return "job.cancel"


class Drain(WireModel):
    """Give a VM no more jobs, and take back those it has not begun, until `resume`; or (`resume`) use it again."""

    kind: Literal["drain"] = "drain"
    vm: str = Field(pattern=VM_NAME)
    resume: bool = False

    @property
    def key(self) -> str:
        """The routing key on `control`."""
        return f"vm.{'resume' if self.resume else 'drain'}.{self.vm}"


class Pause(WireModel):
    """Place no more jobs of an operation until `resume`; they wait in `parked.<operation>`."""

    kind: Literal["pause"] = "pause"
    operation: Operation
    resume: bool = False

    @property
    def key(self) -> str:
        """The routing key on `control`."""
        return f"operation.{'resume' if self.resume else 'pause'}.{self.operation}"


class Orders(WireModel):
    """All orders in force, as the active router keeps them in its own queue; the one with the highest `seq` counts.

    Whoever holds this message is the active router: the queue has a single active consumer.
    """

    kind: Literal["orders"] = "orders"
    seq: int = Field(0, ge=0, le=MOST)
    drained: frozenset[ShortStr] = Field(frozenset(), max_length=65_536)
    paused: frozenset[ShortStr] = Field(frozenset(), max_length=64)


Command = Cancel | Drain | Pause | Orders
_COMMAND: TypeAdapter[Command] = TypeAdapter(Annotated[Command, Field(discriminator="kind")])


def read_command(body: bytes) -> Command:
    """Read what travels on `control`. Raises BadInput when it is none of the union."""
    try:
        return _COMMAND.validate_json(body)
    except ValidationError as error:
        raise BadInput(bad_field(error)) from None


def command_message(command: Command, routing_key: str, *, reply_to: str | None = None) -> Message:
    """A command as a message. An active router tells `reply_to`, in a line of text, what it has done."""
    return Message(
        body=command.model_dump_json().encode(), routing_key=routing_key, content_type=JSON, reply_to=reply_to
    )
