"""The page's process: `overspill page`. One loop for HTTP, for the bus, and for all that is kept."""

import asyncio
import contextlib
import logging
import socket
from collections.abc import Coroutine, Iterator
from typing import Any, Final

import uvicorn
from starlette.types import ASGIApp

from bus.errors import SetupError
from bus.settings import Settings
from ui.web.application import add_pages, guarded, routes
from ui.web.heads import BoundedHead
from ui.web.parts import connected, running

log = logging.getLogger(__name__)

GRACE_S: Final = 5
"""How long an upload that is under way may take when the process stops."""
KEEP_ALIVE_S: Final = 65
"""Who asks again soon needs no new connection."""
BACKLOG: Final = 1024
SOCKET_BYTES: Final = 1 << 20
"""The most a websocket's message may have: what people do on a page is told in a few bytes."""
_TALKATIVE: Final = ("nicegui", "python_multipart", "uvicorn")
"""They tell each fault of a caller."""
_LOGINS: Final = {
    "open": "open: whoever sits at this machine is `demo`",
    "accounts": "local accounts, made with `overspill user add NAME`",
    "oidc": "accounts of the OpenID provider",
    "proxy": "whomever the proxy before it names",
}


async def serve_page(settings: Settings, url: str, stop: asyncio.Event) -> None:
    """Serve the page until `stop`; `url` is the broker's, which may come and go meanwhile.

    Then streams end at once, uploads have five seconds, and what is under way is taken up by the next start. Raises
    SetupError when a setting, the folder, the port or the broker isn't as it must be.
    """
    quieten()
    with listen(settings.page_host, settings.page_port) as port:
        async with running(settings, url) as web:
            app = routes(web, stop)
            add_pages(app, web)
            told = f"PAGE ready on {address(settings, port)}; login: {_LOGINS[settings.page_login]}"
            await serve_until(stop, Server(guarded(app, web), told), port, connected(web.bus))


async def serve_until(
    stop: asyncio.Event, server: "Server", port: socket.socket, beside: Coroutine[Any, Any, None]
) -> None:
    """Serve on `port` until `stop` is set, or what runs `beside` fails: its error is raised."""
    serving = asyncio.create_task(server.serve([port]))
    others = [asyncio.create_task(stop.wait()), asyncio.create_task(beside)]
    try:
        await asyncio.wait({serving, *others}, return_when=asyncio.FIRST_COMPLETED)
    finally:
        stop.set()  # who waits for something goes on first: uvicorn waits for them
        server.should_exit = True
        await serving
        for task in others:
            task.cancel()
        _, failed = await asyncio.gather(*others, return_exceptions=True)
    if isinstance(failed, Exception):
        raise failed


class Server(uvicorn.Server):
    """Ends when we say so: signals are our process's own. Says `told` when it serves."""

    def __init__(self, app: ASGIApp, told: str) -> None:
        super().__init__(_config(app))
        self._told = told

    @contextlib.contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave them alone."""
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begin to serve."""
        await super().startup(sockets)
        log.info("%s", self._told)


def _config(app: ASGIApp) -> uvicorn.Config:
    return uvicorn.Config(
        app,
        http=BoundedHead,
        lifespan="on",
        log_config=None,
        access_log=False,
        server_header=False,
        proxy_headers=False,  # whose word is taken, `page_proxies` says
        ws_max_size=SOCKET_BYTES,
        timeout_keep_alive=KEEP_ALIVE_S,
        timeout_graceful_shutdown=GRACE_S,
    )


def listen(host: str, port: int) -> socket.socket:
    """A socket that listens; port 0 is any free one. Raises SetupError when it can't be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    try:
        listening = socket.create_server((host, port), family=family, backlog=BACKLOG)
    except OSError as error:
        raise SetupError(
            f"The page can't listen on {host}, port {port} ({error.strerror}): set OVERSPILL_PAGE_PORT to a free one, "
            "or OVERSPILL_PAGE_HOST to an address of this machine."
        ) from None
    # asyncio sets it for sockets that name TCP as their protocol, which this one's don't; without it an answer of two
    # writes waits 40 ms for the caller's acknowledgement. What is accepted inherits it.
    listening.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return listening


def address(settings: Settings, port: socket.socket) -> str:
    """Where people find the page."""
    host = f"[{settings.page_host}]" if ":" in settings.page_host else settings.page_host
    return settings.page_url or f"http://{host}:{port.getsockname()[1]}"


def quieten() -> None:
    """Have libraries tell no more than what is wrong with us."""
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.ERROR)
