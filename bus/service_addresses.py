"""The addresses of the cloud services, as the setting OVERSPILL_CLOUD_SERVICES writes them. Pure."""

from collections.abc import Iterable
from urllib.parse import urlsplit

from bus.topology import OPERATIONS


def services_of(text: str) -> tuple[tuple[str, str], ...]:
    """The cloud services in `sketch=https://a.example,https://all.example`: pairs of operation and address.

    The operation is empty where the address serves all. Raises ValueError when it names none.
    """
    return tuple(_service(part) for part in text.split(",") if part.strip())


def services_text(services: Iterable[tuple[str, str]]) -> str:
    """The other way: cloud services as the setting is written."""
    return ",".join(f"{operation}={url}" if operation else url for operation, url in services)


def check_address(url: str) -> None:
    """Raises ValueError for what can't be called: an address without a host, or with a port that is none."""
    try:
        parts = urlsplit(url)
        good = parts.hostname and parts.port != 0 and url.isprintable() and " " not in url
    except ValueError:
        good = False
    if not good:
        raise ValueError(f"names {url!r}, which is no address: correct it, or leave it out")


def _service(part: str) -> tuple[str, str]:
    operation, separator, url = part.strip().partition("=")
    if not separator or operation.startswith(("http://", "https://")):
        operation, url = "", part.strip()
    if not url.startswith(("http://", "https://")):
        raise ValueError("must look like https://all.example or sketch=https://a.example,caption=https://b.example")
    if operation and operation not in OPERATIONS:
        raise ValueError(f"names no operation: {operation!r}; there are {', '.join(OPERATIONS)}")
    return operation, url.rstrip("/")
