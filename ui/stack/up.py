"""`overspill up`: the whole stack of one machine, from nothing to ready to stopped."""

import asyncio
import contextlib
import fcntl
import logging
import logging.handlers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO

from bus import topology
from bus.errors import BadInput, SetupError
from bus.events import read_event
from bus.rabbit import Bus, Delivery
from bus.settings import Settings
from ui.stack import plan, state
from ui.stack.children import BrokerChild, Child, ProgramChild, Say
from ui.stack.rabbitmq import PrivateBroker
from ui.stack.supervisor import Supervisor

_COLOURS = {"up": 37, plan.BROKER: 33, plan.ROUTER: 36, "vm1": 32, "vm2": 35}
_LOG_BYTES = 5 << 20
_BROKER_ANSWERS_WITHIN_S = 15.0
_SETTLES_WITHIN_S = 15.0
"""After its last job a VM still has its answers confirmed."""


class Up:
    """One run of a stack."""

    def __init__(
        self, settings: Settings, environ: Mapping[str, str], say: Say, *, cores: int, overspill: Sequence[str]
    ) -> None:
        """`environ` is what the children inherit, `cores` the processors they share, `overspill` our command line."""
        self._settings = settings
        self._environ = environ
        self._say = say
        self._cores = cores
        self._overspill = overspill
        self._stack = state.ours()
        self._broker: list[BrokerChild] = []
        self._programs: list[Child] = []

    async def run(self) -> None:
        """Start everything, say when it is ready, and run until told to stop. Raises SetupError."""
        supervisor = Supervisor(self._say, grace_s=self._settings.job_timeout_s + _SETTLES_WITHIN_S)
        state.write(self._settings.state_dir, self._stack)
        try:
            async with supervisor.signals():
                await self._start(supervisor)
                await supervisor.wait_for_stop()
        finally:
            # The router and the VMs finish and answer what they have begun: the broker must outlive them.
            self._say("up", "stopping")
            await supervisor.stop(self._programs, self._broker)
            state.forget(self._settings.state_dir)
            self._say("up", "stopped")

    async def _start(self, supervisor: Supervisor) -> None:
        url = self._settings.amqp_url or self._spawn_broker()
        # Together with the broker: they load for seconds, and wait for it by themselves.
        for program in plan.programs(self._overspill, url, self._cores):
            child = ProgramChild(program, self._environ, self._say)
            self._programs.append(child)
            supervisor.keep(child)
        if not await supervisor.unless_stopped(self._broker_answers(supervisor)):
            return
        self._note(replace(self._stack, environ={"AMQP_URL": url}))
        if await supervisor.unless_stopped(all_ready(url, self._settings, self._say)):
            self._note(replace(self._stack, ready=True))
            log = state.log_file(self._settings.state_dir)
            for line in plan.welcome(log, started_broker=self._settings.amqp_url is None, amqp_url=url):
                self._say("up", line)

    def _spawn_broker(self) -> str:
        """Start a broker of our own; returns the URL at which it will answer."""
        self._say("up", "starting a private RabbitMQ; this takes a few seconds")
        child = BrokerChild(PrivateBroker(self._settings.state_dir / "broker"))
        self._broker.append(child)
        return child.spawn()

    async def _broker_answers(self, supervisor: Supervisor) -> None:
        for child in self._broker:
            await child.wait_ready()
            supervisor.keep(child)
            self._say(plan.BROKER, "answers")

    def _note(self, stack: state.Stack) -> None:
        self._stack = stack
        state.write(self._settings.state_dir, stack)


async def all_ready(url: str, settings: Settings, say: Say) -> None:
    """Wait until the router has the lanes and every VM's heartbeat says ready."""
    readiness = plan.Readiness()
    done = asyncio.Event()

    def note(delivery: Delivery) -> None:
        with contextlib.suppress(BadInput):
            part = readiness.note(read_event(delivery.message.body))
            if part is not None:
                say(part, "is ready")
        if readiness.complete:
            done.set()

    bus = Bus(url, name="overspill up", topology=topology.shared(), heartbeat_s=settings.amqp_heartbeat_s)
    try:
        await bus.start(_BROKER_ANSWERS_WITHIN_S)
        await bus.listen([(topology.EVENTS, "vm.heartbeat.*"), (topology.EVENTS, "router.status")], note)
        await done.wait()
    finally:
        await bus.close()


@contextlib.contextmanager
def alone(state_dir: Path) -> Iterator[None]:
    """Make sure that no other stack uses the state folder. Raises SetupError when one does."""
    state_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    with (state_dir / "stack.lock").open("w", encoding="utf-8") as lock:
        if not _locked(lock):
            raise SetupError(
                "A stack runs here already. `overspill env` tells its addresses, `overspill down` stops it."
            )
        yield


def _locked(file: IO[str]) -> bool:
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextlib.contextmanager
def merged_log(path: Path, terminal: Callable[[str], None], *, colour: bool) -> Iterator[Say]:
    """A way to say lines to the terminal and, plain and with the time, to a log file of bounded size."""
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(asctime)s %(message)s"))
    log = logging.getLogger("overspill.stack")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)

    def say(name: str, text: str) -> None:
        log.info("%s", plan.log_line(name, text, None))
        terminal(plan.log_line(name, text, _COLOURS.get(name) if colour else None))

    try:
        yield say
    finally:
        log.removeHandler(handler)
        handler.close()
