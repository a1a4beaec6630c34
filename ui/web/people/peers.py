"""Who is at the other end of a connection: address, host asked for and scheme, through trusted proxies. Pure."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Final
from urllib.parse import urlsplit

from bus.page_settings import PageSettings

_BRACKETED: Final = re.compile(r"\[([^]]*)](?::[0-9]+)?")
Address = IPv4Address | IPv6Address
Headers = Callable[[str], Sequence[str]]
"""All values of a header, by its lower-case name."""


@dataclass(frozen=True, slots=True)
class Peer:
    """One end of a connection.

    Attributes:
        address: The caller's, or None where there is none (not an IP connection).
        through_proxy: Whether the connection itself comes from a proxy we trust.
        host: What the caller asked for, as `pictures.example:8600`, lower case, or None when it named none.
        secure: Whether it is https for the caller.
    """

    address: Address | None
    through_proxy: bool
    host: str | None
    secure: bool

    @property
    def key(self) -> str:
        """What it is counted by: its address, or the network of an IPv6 one, since a household has 2**64 of those."""
        if isinstance(self.address, IPv6Address):
            return str(ip_network((self.address, 64), strict=False))
        return str(self.address)

    @property
    def origin(self) -> str | None:
        """Its word for us, as a browser writes an Origin."""
        return self.host and f"{'https' if self.secure else 'http'}://{self.host}"


def peer_of(client: str | None, scheme: str, headers: Headers, settings: PageSettings) -> Peer:
    """The other end of a connection.

    Args:
        client: The address that the connection comes from.
        scheme: That of the connection itself: http, https, ws or wss.
        headers: What was sent; what proxies tell counts from a trusted one alone.
        settings: Which proxies are trusted.
    """
    address = as_address(client or "")
    trusted = is_trusted(address, settings)
    secure = scheme in {"https", "wss"}
    host = _only(headers("host"))
    if trusted:
        address = _before_proxies(address, headers, settings)
        told = _last(headers("x-forwarded-proto"))
        secure = told == "https" if told else secure
        host = _last(headers("x-forwarded-host")) or host
    return Peer(address, trusted, host.lower() if host else None, secure)


def is_trusted(address: Address | None, settings: PageSettings) -> bool:
    """Whether the word of a proxy at that address is taken."""
    return address is not None and any(address in network for network in settings.page_proxies)


def as_address(text: str) -> Address | None:
    """An address as text, with or without a port; IPv4 written as IPv6 is IPv4."""
    bare = text.strip()
    if bracketed := _BRACKETED.fullmatch(bare):
        bare = bracketed[1]
    elif bare.count(":") == 1:
        bare = bare.partition(":")[0]
    try:
        address = ip_address(bare.partition("%")[0])
    except ValueError:
        return None
    return (isinstance(address, IPv6Address) and address.ipv4_mapped) or address


def _before_proxies(address: Address | None, headers: Headers, settings: PageSettings) -> Address | None:
    """The last address in X-Forwarded-For that is no proxy of ours: what stands before it, anyone may have written."""
    for text in reversed(",".join(headers("x-forwarded-for")).split(",")):
        told = as_address(text)
        if told is None:
            return address
        address = told
        if not is_trusted(told, settings):
            return address
    return address


def _only(values: Sequence[str]) -> str | None:
    """A header that comes once or says nothing: two of them may be read differently by each of two programs."""
    return values[0].strip() if len(values) == 1 else None


def _last(values: Sequence[str]) -> str | None:
    """What the nearest proxy wrote."""
    return ",".join(values).rpartition(",")[2].strip() or None


def host_name(host: str) -> str:
    """The name or address in `name:port`, without the brackets of an IPv6 one; empty when it is neither."""
    try:
        parts = urlsplit(f"//{host}")
        _ = parts.port
    except ValueError:
        return ""
    return parts.hostname or "" if parts.netloc == host and "@" not in host else ""


def origin_of(text: str) -> tuple[str, str, int] | None:
    """(scheme, name, port) of an Origin, or None when it is `null` or no http origin."""
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        return None
    bare = text.lower() in {f"{parts.scheme}://{parts.netloc.lower()}", f"{parts.scheme}://{parts.netloc.lower()}/"}
    if parts.scheme not in {"http", "https"} or not parts.hostname or not bare or "@" in text:
        return None
    return parts.scheme, parts.hostname, port or (443 if parts.scheme == "https" else 80)
