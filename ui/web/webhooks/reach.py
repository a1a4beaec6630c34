"""Which addresses webhooks may call. Pure.

Whoever makes a webhook chooses where this machine sends a request: unless private addresses are allowed, it must not
lead to what only this machine can reach. Names are judged by what they resolve to, at the moment of connecting.
"""

import ipaddress
from dataclasses import dataclass
from typing import Final
from urllib.parse import urlsplit

LONGEST_URL: Final = 2000
_NAT64: Final = ipaddress.ip_network("64:ff9b::/96")
_TELLING: Final = tuple(
    ipaddress.ip_network(network)
    for network in (
        "fd00:ec2::/32",  # Amazon
        "fd20:ce::254/128",  # Google
        "100.100.100.200/32",  # Alibaba
        "168.63.129.16/32",  # Azure; a public address, that is answered by the machine's own host
        "192.0.0.192/32",  # Oracle
    )
)
"""Where clouds tell machines their secrets, besides link-local addresses."""
_Ip = ipaddress.IPv4Address | ipaddress.IPv6Address


@dataclass(frozen=True, slots=True)
class Target:
    """Where a webhook goes, taken apart. `path` has the query; `host` is as in a URL, IPv6 without brackets."""

    scheme: str
    host: str
    port: int
    path: str

    @property
    def authority(self) -> str:
        """The value of the header Host."""
        host = _bracketed(self.host)
        return host if self.port == _PORTS[self.scheme] else f"{host}:{self.port}"

    def at(self, address: str) -> str:
        """The URL of the same thing at an address: the name isn't asked for again."""
        return f"{self.scheme}://{_bracketed(address)}:{self.port}{self.path}"


_PORTS: Final = {"http": 80, "https": 443}


def target_of(url: str) -> Target:
    """A URL taken apart. Raises ValueError, saying what is wrong with it."""
    if len(url) > LONGEST_URL:
        raise ValueError(f"is longer than {LONGEST_URL} characters")
    if not url.isascii() or any(character <= " " or character in '\x7f\\"<>^`{|}' for character in url):
        raise ValueError("has characters that a URL can't have; encode them (%20, punycode)")
    parts = urlsplit(url)
    if parts.scheme not in _PORTS or not parts.hostname:
        raise ValueError("must begin with https:// or http:// and name a host")
    if "@" in parts.netloc:
        raise ValueError("must have no user name or password in it; the signature tells that it is us")
    if parts.port == 0:
        raise ValueError("has port 0, where nothing can listen")
    query = f"?{parts.query}" if parts.query else ""
    return Target(parts.scheme, parts.hostname, parts.port or _PORTS[parts.scheme], (parts.path or "/") + query)


def is_address(host: str) -> bool:
    """Whether a host is an IP address, and no name that is resolved when it is called."""
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def may_call(address: str, *, private: bool) -> bool:
    """Whether a webhook may connect to an IP address; `private` allows loopback and the site's own networks.

    Where clouds tell machines their secrets is never called: link-local addresses, and the few others that they use.
    Raises ValueError for no address.
    """
    ip = ipaddress.ip_address(address)
    return all(_is_fit(seen, private=private) for seen in (ip, *_inside(ip)))


def _is_fit(ip: _Ip, *, private: bool) -> bool:
    if ip.is_multicast or ip.is_unspecified or ip.is_link_local or ip == ipaddress.ip_address("255.255.255.255"):
        return False
    if any(ip in network for network in _TELLING):
        return False
    # A mapped address is judged by what is inside.
    mapped = isinstance(ip, ipaddress.IPv6Address) and (ip.ipv4_mapped is not None or ip in _NAT64)
    old_private = isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local
    return private or mapped or (ip.is_global and not ip.is_reserved and not old_private)


def _inside(ip: _Ip) -> list[_Ip]:
    """The IPv4 addresses that an IPv6 address leads to."""
    if isinstance(ip, ipaddress.IPv4Address):
        return []
    teredo = ip.teredo[1] if ip.teredo else None
    translated = ipaddress.IPv4Address(int(ip) & 0xFFFF_FFFF) if ip in _NAT64 else None
    return [inner for inner in (ip.ipv4_mapped, ip.sixtofour, teredo, translated) if inner is not None]


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host
