"""Whether a request is meant for this page: hosts against DNS rebinding, origins against forgery. Pure.

Browsers tell where a request comes from in `Origin` and `Sec-Fetch-Site`, and no page can change that; programs send
neither, and bring their own credentials. A page of another site may open one of ours in a tab, and no more.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from bus.page_settings import PageSettings
from bus.problems import Kind, Problem
from bus.reach import is_loopback_host
from ui.web.people.peers import Peer, as_address, host_name, origin_of

SOCKETS: Final = "/_nicegui_ws/"
_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS"})
_LOCAL: Final = frozenset({"same-origin", "none"})


@dataclass(frozen=True, slots=True)
class Asked:
    """What a request says of itself; of headers that may come twice, all values.

    `method` is None for a websocket. `host` is what the connection itself brought, before any proxy's word on it.
    """

    method: str | None
    path: str
    peer: Peer
    host: Sequence[str] = ()
    origin: Sequence[str] = ()
    site: Sequence[str] = ()
    mode: str | None = None
    destination: str | None = None
    accept: str = ""


def refusal(asked: Asked, settings: PageSettings) -> Problem | None:
    """Why a request is not for us, or None. Nothing of it is repeated in the problem."""
    return _wrong_host(asked, settings) or _foreign(asked, settings)


def _wrong_host(asked: Asked, settings: PageSettings) -> Problem | None:
    """A name that an attacker's DNS leads here makes their page the same origin as ours: only our own are served."""
    name = host_name(asked.host[0].lower()) if len(asked.host) == 1 else ""
    if not name:
        return Problem.of(Kind.BAD_REQUEST, "The request must name one host.", field="Host")
    if settings.page_login == "open":
        return _not_local(name, asked.peer)
    if (
        settings.page_url
        and not _is_number(name)
        and _origin(settings.page_url, asked.host[0]) != origin_of(settings.page_url)
    ):
        remedy = "Use the address in OVERSPILL_PAGE_URL; a proxy before the page must pass the header Host on."
        return Problem.of(Kind.BAD_REQUEST, "The page is not served under this name.", field="Host", remedy=remedy)
    return None


def _not_local(name: str, peer: Peer) -> Problem | None:
    """An open page is for this machine: under its names, and for callers who sit at it."""
    forwarded = host_name(peer.host or "")
    if not is_loopback_host(name) or not is_loopback_host(forwarded):
        remedy = "Ask http://localhost or http://127.0.0.1; others are served when OVERSPILL_PAGE_LOGIN is not open."
        return Problem.of(Kind.BAD_REQUEST, "The page is open to this machine alone.", field="Host", remedy=remedy)
    if peer.address is None or not peer.address.is_loopback:
        remedy = "Set OVERSPILL_PAGE_LOGIN to accounts, oidc or proxy to serve others."
        return Problem.of(Kind.NOT_ALLOWED, "The page is open to this machine alone.", remedy=remedy)
    return None


def _foreign(asked: Asked, settings: PageSettings) -> Problem | None:
    ours = all(_is_ours(origin, asked.peer, settings) for origin in asked.origin)
    if ours and (not asked.site or set(asked.site) <= _LOCAL or _opens_a_page(asked)):
        return None
    remedy = "Use the page itself, or an API token from a program; OVERSPILL_PAGE_URL must be the page's own address."
    return Problem.of(Kind.NOT_ALLOWED, "The request comes from another site.", remedy=remedy)


def _opens_a_page(asked: Asked) -> bool:
    """Whether a link was followed. Streams and sockets are never opened that way."""
    socket = asked.method is None or asked.path.startswith(SOCKETS) or "text/event-stream" in asked.accept
    return asked.method in _SAFE and not socket and (asked.mode, asked.destination) == ("navigate", "document")


def _is_ours(text: str, peer: Peer, settings: PageSettings) -> bool:
    origin = origin_of(text)
    if origin is None or peer.host is None:
        return False
    if settings.page_url and not _is_number(host_name(peer.host)):
        return origin == origin_of(settings.page_url)
    # Where TLS ends before us and nobody says so, https is as good as http; never the other way round.
    return origin == _origin(text, peer.host) and (origin[0] == "https" or not peer.secure)


def _origin(like: str, host: str) -> tuple[str, str, int] | None:
    """The origin at `host` with the scheme of another."""
    return origin_of(f"{like.partition(':')[0].lower()}://{host.lower()}")


def _is_number(name: str) -> bool:
    """Whether a host is a bare address, or this machine: no DNS led here."""
    return as_address(name) is not None or is_loopback_host(name)
