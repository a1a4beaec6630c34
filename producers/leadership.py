"""Which router is the active one, and the orders that operators gave it.

The durable queue `control.router` has a single active consumer and holds one message, the orders in force. Whoever
has it, unacked, is the active router; when its connection ends the broker hands queue and message to the next.
"""

import asyncio
import logging
from functools import partial
from typing import Protocol

from bus.control import Cancel, Command, Drain, Orders, Pause, command_message, read_command
from bus.errors import BadInput
from bus.messages import Message
from bus.problems import Kind, Problem
from bus.rabbit import Bus, Consumer, Delivery
from bus.replies import send_answer
from bus.topology import CONTROL_ROUTER, DEFAULT_EXCHANGE, is_internal
from producers.tickets import Tickets

log = logging.getLogger(__name__)

PREFETCH = 5000
"""More than the orders to cancel that are remembered, each of which stays unacked meanwhile."""
RENEW_S = 600.0
"""Under the half hour for which a broker lets a message be held."""
STAND_BY_S = 30.0
"""Who stands by calls again: the broker may have refused the call by which somebody was to become the active router."""


class Follower(Protocol):
    """Who does what the orders say."""

    def take_over(self, orders: Orders) -> None:
        """This router is the active one from now on; it calls `settle_in` before it places."""

    def follow(self, orders: Orders) -> None:
        """The orders have changed."""

    def cancel(self, order: Cancel, ticket: int, at_ms: int | None) -> str:
        """A job is to be cancelled, as asked at `at_ms`; returns what to tell. The follower settles the ticket."""

    def knows(self, vm: str) -> bool:
        """Whether a VM of this name was heard."""


class Leadership:
    """This router's part in the choice of the active one."""

    def __init__(self, bus: Bus, tickets: Tickets, follower: Follower) -> None:
        self._bus = bus
        self._tickets = tickets
        self._follower = follower
        self._orders = Orders()
        self._kept: Delivery | None = None
        self._early: list[tuple[Delivery, Command]] | None = []
        self._renewed_s = 0.0
        self._consumer: Consumer | None = None
        self.active = False

    async def start(self) -> None:
        """Stand by from now on, and after each reconnect."""
        self._consumer = await self._bus.consume(CONTROL_ROUTER, self._on_delivery, prefetch=PREFETCH)
        self.call()

    async def stop(self) -> None:
        """Take no more orders."""
        if self._consumer is not None:
            await self._bus.cancel(self._consumer)

    def call(self) -> None:
        """Send blank orders: they reach the active router, which drops them, or make us that."""
        self._publish(Orders())

    def forget(self) -> None:
        """The connection is gone, and with it the office."""
        self._orders, self._kept, self._early, self.active = Orders(), None, [], False

    def settle_in(self) -> None:
        """All that lay in the queue has come: what was ordered before is done now."""
        early, self._early = self._early, None
        for delivery, command in early or ():
            self._obey(delivery, command)

    def tick(self, now_s: float) -> None:
        """Send the orders, or a call, from time to time: a broker lets nothing be held for long, or may refuse it."""
        if self._bus.connected and now_s - self._renewed_s > (RENEW_S if self.active else STAND_BY_S):
            self._renewed_s = now_s
            self._publish(self._orders)

    def _on_delivery(self, delivery: Delivery) -> None:
        try:
            command = _read(delivery.message)
        except BadInput as error:
            self._bus.ack(delivery)
            self._reply(delivery.message, f"an order that can't be read: {error.problem.detail}")
            return
        if isinstance(command, Orders):
            self._keep(command, delivery)
        elif self._early is not None:
            self._early.append((delivery, command))  # until it is known which orders are in force
        else:
            self._obey(delivery, command)
        if not self.active:
            self.active = True
            self._follower.take_over(self._orders)

    def _keep(self, orders: Orders, delivery: Delivery) -> None:
        """Hold the latest orders; settle the older ones, and blanks."""
        if orders.seq < self._orders.seq:
            self._bus.ack(delivery)
            return
        if self._kept is not None:
            self._bus.ack(self._kept)
        self._kept = delivery
        if orders.seq > self._orders.seq:
            self._orders = orders
            if self.active:
                self._follower.follow(orders)

    def _obey(self, delivery: Delivery, command: Command) -> None:
        if isinstance(command, Cancel):
            at_ms = None if delivery.message.timestamp is None else delivery.message.timestamp * 1000 + 999
            self._reply(delivery.message, self._follower.cancel(command, self._tickets.hold(delivery), at_ms))
            return
        self._orders, said = carried_out(self._orders, command)
        if isinstance(command, Drain) and not self._follower.knows(command.vm):
            said = _of_unheard(command)
        self._follower.follow(self._orders)
        log.info("ordered: %s", said)
        self._publish(self._orders).add_done_callback(partial(self._ordered, delivery, said))

    def _ordered(self, delivery: Delivery, said: str, sent: "asyncio.Future[None]") -> None:
        if sent.exception() is None:  # otherwise the order comes again
            self._bus.ack(delivery)
            self._reply(delivery.message, said)

    def _publish(self, orders: Orders) -> "asyncio.Future[None]":
        return self._bus.publish(DEFAULT_EXCHANGE, command_message(orders, CONTROL_ROUTER))

    def _reply(self, asked: Message, text: str) -> None:
        if isinstance(asked.reply_to, str) and asked.reply_to and not is_internal(asked.reply_to):
            reply = Message(
                text.encode(), asked.reply_to, content_type="text/plain", correlation_id=asked.correlation_id
            )
            send_answer(self._bus, reply).add_done_callback(_note)


def _note(sent: "asyncio.Future[None]") -> None:
    """Whoever asked may have gone: the order holds all the same."""
    if not sent.cancelled() and sent.exception() is not None:
        log.info("what came of an order was not told: %s", sent.exception())


def carried_out(orders: Orders, command: Drain | Pause | Orders) -> tuple[Orders, str]:
    """The orders in force after a command, and what was done in words."""
    if isinstance(command, Drain):
        changed = orders.drained - {command.vm} if command.resume else orders.drained | {command.vm}
        what, update = f"{command.vm} is {'in use again' if command.resume else 'drained'}", {"drained": changed}
    elif isinstance(command, Pause):
        changed = orders.paused - {command.operation} if command.resume else orders.paused | {command.operation}
        what, update = f"{command.operation} {'goes on' if command.resume else 'is paused'}", {"paused": changed}
    else:
        return command, "orders replaced"
    return orders.model_copy(update={**update, "seq": orders.seq + 1}), what


def _of_unheard(command: Drain) -> str:
    """What was done, where no VM of that name was heard of: it may be misspelt, or join later."""
    kept = "it will be in use" if command.resume else "the order is kept, to drain it"
    return f"no VM named {command.vm} was heard of; {kept} when it joins"


def _read(message: Message) -> Command:
    command = read_command(message.body)
    if isinstance(command, Orders) and message.routing_key != CONTROL_ROUTER:
        detail = "kind: whole orders are a router's to send; drain or resume a VM, pause or resume an operation."
        raise BadInput(Problem.of(Kind.BAD_FIELD, detail))
    return command
