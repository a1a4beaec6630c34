"""Who may fetch what: what of the blob store the cloud can read, and which links are a store's. Pure."""

import ipaddress
import re
from typing import Final
from urllib.parse import urlsplit

from bus.settings import Settings

_STORES: Final = re.compile(
    r"(?:[a-z0-9._-]+\.)?"
    r"(?:storage\.googleapis\.com"
    r"|s3(?:-accelerate)?(?:\.dualstack)?(?:[.-][a-z0-9-]+)?\.amazonaws\.com(?:\.cn)?"
    r"|blob\.core\.windows\.net)"
    r"(?::443)?"
)
"""Hosts at which the clouds' own stores answer. Not the whole of `amazonaws.com`: strangers' machines are there too."""


def is_loopback(url: str) -> bool:
    """Whether an address leads to this very machine; what is no address does not."""
    try:
        return is_loopback_host(urlsplit(url).hostname or "")
    except ValueError:
        return False


def is_loopback_host(host: str) -> bool:
    """Whether only this machine reaches what listens there."""
    try:
        return host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def stays_here(url: str | None) -> bool:
    """Whether the blob store at `url` is a folder, which signs no links, and which nobody reads from elsewhere."""
    return (url or "").startswith("file://")


def reads_blobs(settings: Settings) -> bool:
    """Whether the cloud can fetch what lies in the blob store: from a folder, only one played on this machine can.

    Of Pub/Sub without a project there is only an emulator.
    """
    if not stays_here(settings.blobs):
        return bool(settings.blobs)
    if settings.cloud == "http":
        # Any of them may be asked for a job, and one elsewhere would find no picture.
        services = settings.cloud_services
        return bool(services) and all(is_loopback(url) for _, url in services)
    return bool(settings.pubsub_emulator_host) or settings.cloud_project is None


def is_of_store(link: str, endpoint: str | None = None) -> bool:
    """Whether a link leads to one of the clouds' stores, or to the one at `endpoint`.

    Only https does, save where `endpoint` itself is http on this machine, as an emulator's is. Whoever follows no other
    links can't be sent through our networks by those who send us links.
    """
    try:
        scheme, where = _parts(link)
        own = endpoint is not None and (scheme, where) == _parts(endpoint)
        return (scheme == "https" and (own or bool(_STORES.fullmatch(where)))) or (own and is_loopback(link))
    except ValueError:
        return False


def _parts(url: str) -> tuple[str, str]:
    parts = urlsplit(url)
    return parts.scheme, parts.netloc.lower()
