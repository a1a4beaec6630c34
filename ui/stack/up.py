"""`overspill up`: the whole stack of one machine, from nothing to ready to stopped."""

import asyncio
import contextlib
import fcntl
import logging
import logging.handlers
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from bus.errors import SetupError
from bus.settings import Settings
from telemetry.logs import iso_time
from ui.stack import cloud, emulator, extras, metrics, page, plan, state
from ui.stack.children import Child, ProgramChild, Say
from ui.stack.processes import LOOPBACK, free_port, free_ports, is_free
from ui.stack.ready import Watch
from ui.stack.servers import Servers
from ui.stack.supervisor import Supervisor

_COLOURS = {"up": 37, plan.BROKER: 33, plan.ROUTER: 36, "vm1": 32, "vm2": 35}
_COLOURS |= {cloud.EMULATOR: 33, cloud.SERVICE: 34, cloud.BRIDGE: 36, page.PAGE: 35}
_EXTRA_OF = {cloud.SERVICE: "service", cloud.BRIDGE: "bridge", page.PAGE: "page"}
_LOG_BYTES = 5 << 20
_OTHERS_READY_WITHIN_S = 20.0
"""Waited for the cloud and the page, once the rest works. They come when they come: jobs are answered without."""
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
        missing = _missing()
        self._parts = cloud.parts(settings, missing)
        self._page = None if page.PAGE in missing else page.page(settings, page.port(settings, is_free, free_port))
        self._lacking = (*self._parts.lacking, *page.lacking(missing.get(page.PAGE)))
        self._stack = state.ours()
        self._servers = Servers(settings.state_dir, say)
        self._programs: list[Child] = []
        self._watching: asyncio.Task[None] | None = None

    async def run(self) -> None:
        """Start everything, say when it is ready, and run until told to stop. Raises SetupError."""
        supervisor = Supervisor(self._say, grace_s=self._settings.job_timeout_s + _SETTLES_WITHIN_S)
        state.write(self._settings.state_dir, self._stack)
        try:
            async with supervisor.signals():
                await self._start(supervisor)
                await supervisor.wait_for_stop()
        finally:
            self._say("up", "stopping")
            await self._stop_watching()
            # What runs jobs finishes and answers what it has begun: broker and emulator must outlive them.
            await supervisor.stop(self._programs, [*self._servers.emulators, *self._servers.brokers])
            state.forget(self._settings.state_dir)
            self._say("up", "stopped")

    async def _start(self, supervisor: Supervisor) -> None:
        for line in self._lacking:
            self._say("up", line)
        port = free_port()
        chosen = self._servers.spawn(self._settings, self._parts, port)
        # Together with the broker: they load for seconds, and wait for it by themselves.
        addresses = state.addresses(chosen)
        programs = plan.programs(self._overspill, addresses, self._cores, self._parts, port, self._page)
        ports = dict(zip((program.name for program in programs), free_ports(len(programs), but=port), strict=True))
        for program in metrics.given(programs, ports, LOOPBACK):
            child = ProgramChild(program, self._environ, self._say)
            self._programs.append(child)
            supervisor.keep(child)
        for server in self._servers.emulators:
            supervisor.keep(server)
        if not await supervisor.unless_stopped(self._broker_answers(supervisor)):
            return
        told = {**addresses, **page.address(self._page), **metrics.address(ports, LOOPBACK)}
        self._note(replace(self._stack, environ=told, lacking=list(self._lacking)))
        if await supervisor.unless_stopped(self._ready(chosen, port)):
            self._note(replace(self._stack, ready=True))

    async def _broker_answers(self, supervisor: Supervisor) -> None:
        for child in self._servers.brokers:
            await child.wait_ready()
            supervisor.keep(child)

    async def _ready(self, chosen: Settings, service_port: int) -> None:
        """Wait until jobs are answered, and a while for cloud and page; then say so. Raises SetupError."""
        url = chosen.amqp_url or ""
        asked = self._asked(service_port)
        readiness = plan.Readiness(self._parts.names | asked.keys())
        watch = Watch.of(url, readiness, self._say, asked=asked, heartbeat_s=chosen.amqp_heartbeat_s)
        self._watching = asyncio.create_task(watch.run())
        await _first(self._watching, watch.works)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(watch.complete.wait(), _OTHERS_READY_WITHIN_S)
        log = state.log_file(chosen.state_dir)
        late = readiness.waiting
        others = (*cloud.welcome(self._parts, chosen, late - {page.PAGE}), *page.welcome(self._page, late))
        for line in plan.welcome(log, started_broker=bool(self._servers.brokers), amqp_url=url, others=others):
            self._say("up", line)

    def _asked(self, service_port: int) -> dict[str, str]:
        """Where the parts are that say over HTTP alone whether they are ready."""
        service = {cloud.SERVICE: f"http://{LOOPBACK}:{service_port}"} if self._parts.service else {}
        return service | ({page.PAGE: self._page.asked_at} if self._page else {})

    async def _stop_watching(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            await asyncio.gather(self._watching, return_exceptions=True)

    def _note(self, stack: state.Stack) -> None:
        self._stack = stack
        state.write(self._settings.state_dir, stack)


async def _first(task: "asyncio.Task[None]", event: asyncio.Event) -> None:
    """Wait for the event, but not beyond the end of the task. Raises what the task raised."""
    waiting = asyncio.create_task(event.wait())
    await asyncio.wait({task, waiting}, return_when=asyncio.FIRST_COMPLETED)
    waiting.cancel()
    if task.done():
        task.result()


def _missing() -> dict[str, str]:
    """Which parts can't run on this machine, and the remedy."""
    found = {part: said for part, extra in _EXTRA_OF.items() if (said := extras.said_missing(extra))}
    try:
        emulator.find()
    except SetupError as error:
        found[cloud.EMULATOR] = str(error).rstrip(".")
    return found


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
def merged_log(path: Path, terminal: Callable[[str], None], *, colour: bool, as_json: bool = False) -> Iterator[Say]:
    """A way to say lines to the terminal and, plain and with the time, to a log file of bounded size.

    `as_json` is one JSON object a line, in both.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.handlers.RotatingFileHandler(path, maxBytes=_LOG_BYTES, backupCount=2, encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(message)s" if as_json else "%(asctime)s %(message)s"))
    log = logging.getLogger("overspill.stack")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.addHandler(handler)

    def say(name: str, text: str) -> None:
        if as_json:
            told = shown = plan.json_line(name, text, iso_time(datetime.now(UTC)))
        else:
            told, shown = (plan.log_line(name, text, of) for of in (None, _COLOURS.get(name) if colour else None))
        log.info("%s", told)
        terminal(shown)

    try:
        yield say
    finally:
        log.removeHandler(handler)
        handler.close()
