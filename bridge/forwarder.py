"""From `overflow` to the cloud: each job checked, its ticket written, its parcel sent, and only then acked."""

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable
from dataclasses import replace
from typing import Final

from bridge.checks import Bury, GoHome, Refuse, Wait
from bridge.cloud import CloudDown, Unsendable
from bridge.endings import event
from bridge.envelope import job_parcel
from bridge.pictures import Stowed
from bridge.repeats import Followers
from bridge.shift import Shift
from bridge.tasks import Tasks
from bridge.ticket_queue import TicketQueue
from bridge.tickets import Ticket, due_ms
from bridge.turns import Again, Follow, Go, Join, Settle, Turns
from bus.blobs import BlobsDown
from bus.clock import now_ms
from bus.errors import BadInput, BusError, Disconnected
from bus.events import JobEvent
from bus.messages import Job
from bus.rabbit import Consumer, Delivery
from bus.topology import OVERFLOW
from consumers.cancels import Cancels
from telemetry import hops, logs
from telemetry.traces import Span

log = logging.getLogger(__name__)

PREFETCH: Final = 8
"""Jobs in hand at a time. A ticket's confirm and a publish take some 50 ms together, so eight of them keep up with more
than a hundred jobs a second; and eight of the largest pictures are 128 MiB."""
CONFIRM_S: Final = 10.0
"""For the confirm of a ticket. A queue that has lost its majority gives none, while the job could run at home."""
QUIET_S: Final = 0.05
"""In which what the last acks made room for has come."""


class Forwarder:
    """Sends the jobs of one shift. A cloud that does not keep what it has taken gets each on loan from the broker."""

    def __init__(self, shift: Shift, queue: TicketQueue, cancels: Cancels, *, timeout_s: float) -> None:
        """`timeout_s` is how long the cloud's answer is waited for, seconds."""
        self._shift = shift
        self._queue = queue
        self._timeout_s = timeout_s
        self._in_hand = Tasks()
        self._consumer: Consumer | None = None
        self._turns = Turns(shift, cancels)
        self._followers: Followers[Delivery] = Followers()
        self._closed = False

    async def open(self, most: int) -> None:
        """Begin to take jobs; `most` of them may be in the cloud at a time."""
        if self._closed:
            return
        prefetch = PREFETCH if self._shift.cloud.keeps else PREFETCH + most
        consumer = await self._shift.bus.consume(OVERFLOW, self._on_delivery, prefetch=prefetch)
        if self._closed:
            await self._shift.bus.cancel(consumer)
        else:
            self._consumer = consumer

    async def close(self, grace_s: float) -> None:
        """Take no more, and wait for those in hand, `grace_s` seconds at most; what is left is the broker's again."""
        self._closed = True
        self.look()
        if self._consumer is not None:
            # RabbitMQ 3.10 ends the connection when a delivery is on its way to a consumer that ends. With nothing
            # settled there is none, while jobs wait.
            self._shift.withhold()
            await asyncio.sleep(QUIET_S if self._shift.bus.connected else 0)
            await self._shift.bus.cancel(self._consumer)
            self._shift.release()
        await self._in_hand.wait(grace_s)
        await self._in_hand.cancel()

    def look(self) -> None:
        """There may be room in the cloud now, or no hope of it, and what others follow may have ended."""
        self._turns.look()
        for delivery in self._followers.freed(self._shift.tickets.has):
            self._shift.requeue(delivery)  # to be judged with its picture again

    def _on_delivery(self, delivery: Delivery) -> None:
        self._in_hand.spawn(self._take(delivery))

    async def _take(self, delivery: Delivery) -> None:
        try:
            await self._forward(delivery)
        except Exception:
            # A fault of ours must not hold the job until the broker loses patience: it is answered by the router.
            log.exception("a job could not be forwarded")
            self._shift.bus.reject(delivery, requeue=False)

    async def _forward(self, delivery: Delivery) -> None:
        shift = self._shift
        try:
            job = Job.from_message(delivery.message, now_ms())
        except BadInput as error:
            self._over(delivery, None, await shift.endings.refuse_unread(delivery.message, error.problem))
            return
        logs.bind(job=job.id, trace=job.traceparent)
        what = await self._turns.next(job)
        if not shift.bus.is_live(delivery):
            return  # the connection was lost meanwhile, and the job comes again
        match what:
            case Settle():
                shift.ack(delivery)
            case Join(ticket):
                shift.tickets.hold(ticket, _bare(delivery))
            case Follow(key):
                if not self._followers.add(key, _bare(delivery)):
                    await self._end(delivery, job, GoHome("as many repeats of jobs in the cloud wait here as may"))
            case Go(before, key):
                span = hops.overflow(job)
                job = span.carried_by(job)
                with span:
                    ticket = self._ticket(job, before, key)
                    logs.bind(job=job.id, trace=job.traceparent, ticket=ticket.number)
                    await self._send(delivery, job, ticket, span, is_new=before is None)
            case _:
                await self._end(delivery, job, what)

    async def _end(self, delivery: Delivery, job: Job, why: Refuse | Again | Bury | GoHome | Wait) -> None:
        endings = self._shift.endings
        before = self._shift.tickets.of_placement(job.placement)
        ticket = None if before is None else self._shift.tickets.take(before.number)
        match why:
            case Refuse(problem):
                ending = endings.refuse(job, problem)
            case Again(answer):
                ending = endings.again(job, answer)
            case Bury(reason):
                ending = endings.bury(job, reason)
            case GoHome(reason) | Wait(reason):
                if job.site == "local":
                    log.error("job %s is kept on local machines and came to the bridge: not sent", job.id)
                ending = endings.hand_home(job, reason)
        await self._finish(delivery, job, ending, ticket)

    async def _finish(
        self, delivery: Delivery, job: Job, ending: Awaitable[JobEvent | None], ticket: Ticket | None
    ) -> None:
        """End a job here; `ticket`, if it has one, was taken for that."""
        try:
            told = await ending
        except Exception:
            self._give_up(delivery, ticket)
            raise
        self._over(delivery, job.placement, told, ticket)

    def _give_up(self, delivery: Delivery, ticket: Ticket | None) -> None:
        """A fault of ours: the router answers the job, so nobody else may."""
        self._shift.bus.reject(delivery, requeue=False)
        if ticket is not None:
            self._shift.void(ticket)
            self._shift.on_change()

    def _over(
        self, delivery: Delivery, placement: str | None, told: JobEvent | None, ticket: Ticket | None = None
    ) -> None:
        """A job has ended here, unless the connection was lost (no `told`): then it comes again."""
        if told is None:
            return
        self._shift.memory.ended.add(placement)
        self._shift.ack(delivery)
        if ticket is None:
            self._shift.endings.post(told)
        else:
            self._shift.end(ticket, told)

    def _ticket(self, job: Job, before: Ticket | None, key: str) -> Ticket:
        """The job's ticket, in flight from here on: nothing has been awaited since the gate let it through."""
        shift, sent_ms = self._shift, now_ms()
        cost = shift.gate.budget.estimate(job.operation, len(job.body))
        shift.gate.sent(cost, time.monotonic(), sent_ms / 1000)
        shift.moved_s = time.monotonic()
        ticket = Ticket(
            number=before.number if before else uuid.uuid4().hex,
            job=job.model_copy(update={"body": b""}),
            sent_ms=sent_ms,
            due_ms=due_ms(job, sent_ms, self._timeout_s),
            bytes=len(job.body),
            cost=cost,
            claim=before.claim if before else None,
            key=key,
        )
        shift.tickets.send(ticket)
        shift.on_change()  # routers are to know at once when it was the last for which there is room
        return ticket

    async def _send(self, delivery: Delivery, job: Job, ticket: Ticket, span: Span, *, is_new: bool) -> None:
        shift = self._shift
        try:
            is_sent = await self._hand_over(delivery, job, ticket, is_new=is_new)
        except CloudDown as error:
            span.fail(str(error))
            may_have_gone = not isinstance(error, Unsendable)
            if may_have_gone:
                shift.failed(str(error), ticket)
            await self._home(delivery, job, ticket, str(error), may_have_gone=may_have_gone)
        except (BlobsDown, BusError) as error:
            span.fail(str(error))
            await self._home(delivery, job, ticket, str(error))
        except Exception as error:
            log.exception("a job could not be sent")
            span.fail(repr(error))
            if (ours := self._reclaimed(delivery, ticket, may_have_gone=True)) is not None:
                self._give_up(delivery, ours)
        else:
            if is_sent:
                self._sent(delivery, ticket)
            else:
                shift.unsent(ticket)
        finally:
            shift.tickets.sent(ticket.number)

    async def _hand_over(self, delivery: Delivery, job: Job, ticket: Ticket, *, is_new: bool) -> bool:
        """Give the job to the cloud, unless it is called off meanwhile; False when the connection was lost before."""
        shift = self._shift
        stowed = await self._stow(job, ticket)
        if stowed.claim is not None:
            ticket = ticket.model_copy(update={"claim": stowed.claim})
        if not await self._write(delivery, ticket, is_new=is_new):
            return False
        # What was called off meanwhile is not sent: its ticket is there, and settled with its answer.
        if ticket.number in shift.tickets:
            # Past the ticket's time its caller has an answer: no service is to begin it then.
            job = stowed.job.model_copy(update={"deadline_ms": ticket.due_ms})
            await shift.cloud.send(job_parcel(job, ticket.number, sent_ms=now_ms(), link=stowed.link))
        return True

    async def _stow(self, job: Job, ticket: Ticket) -> Stowed:
        if ticket.claim is not None:  # by who wrote the ticket
            job = job.model_copy(update={"body": b"", "claim": ticket.claim})
        return await self._shift.pictures.stow(job, self._shift.cloud.largest_bytes)

    async def _write(self, delivery: Delivery, ticket: Ticket, *, is_new: bool) -> bool:
        """Make sure that the job's caller can be answered whatever becomes of us; False when the connection was lost.

        Raises BusError when the broker does not take the ticket, or says nothing of it.
        """
        shift = self._shift
        if not shift.bus.is_live(delivery):
            return False  # it has come again already, or is with another bridge
        if ticket.number in shift.tickets:
            shift.tickets.send(ticket)  # its claim is known now
        if shift.cloud.keeps and is_new:
            try:
                async with asyncio.timeout(CONFIRM_S):
                    await self._queue.write(ticket)
            except Disconnected:
                return False
            except TimeoutError:
                raise BusError(f"the broker has not confirmed a ticket in {CONFIRM_S:g} s") from None
        # From here on the cloud may have it, and may answer while it is sent once more: nothing is left to do then.
        if not shift.tickets.hold(ticket, _bare(delivery)):
            shift.ack(delivery)
        return shift.bus.is_live(delivery)

    def _sent(self, delivery: Delivery, ticket: Ticket) -> None:
        if self._shift.cloud.keeps:
            self._shift.memory.sent.add(ticket.job.placement)
            self._shift.ack(delivery)
        if ticket.number in self._shift.tickets:
            self._shift.endings.post(event(ticket.job, "sent", cost=ticket.cost))
        self._shift.on_change()

    async def _home(
        self, delivery: Delivery, job: Job, ticket: Ticket, reason: str, *, may_have_gone: bool = False
    ) -> None:
        """The job was not sent: hand it home, and its ticket is void."""
        if (ours := self._reclaimed(delivery, ticket, may_have_gone=may_have_gone)) is not None:
            await self._finish(delivery, job, self._shift.endings.hand_home(job, reason), ours)

    def _reclaimed(self, delivery: Delivery, ticket: Ticket, *, may_have_gone: bool) -> Ticket | None:
        """The ticket of a job that did not go, for us to end; None when others do, or have: settled with that.

        What `may_have_gone` all the same, its confirm lost, keeps the price that was set aside for it.
        """
        ours = self._shift.tickets.take(ticket.number)
        if ours is not None and may_have_gone:
            self._shift.undecided(ours)
        elif ours is not None:
            self._shift.unsent(ours)
        elif not self._shift.tickets.hold(ticket, _bare(delivery)):
            self._shift.ack(delivery)
        return ours


def _bare(delivery: Delivery) -> Delivery:
    """A delivery to be settled, without the picture."""
    return replace(delivery, message=replace(delivery.message, body=b""))
