"""Which part of a file a request asks for, and whether it has the file already (RFC 9110). Pure."""

import re
from typing import Final, Literal

Part = Literal["all", "part", "nothing"]
_ONE_RANGE: Final = re.compile(r"bytes=(?:(\d{1,18})-(\d{0,18})|-(\d{1,18}))", re.ASCII)


def part_of(header: str | None, size: int) -> Part:
    """What a `Range` header asks of a file of `size` bytes: one part of it, all of it, or what isn't there.

    Several ranges at once, and what can't be read, are ignored, as a server may.
    """
    found = _ONE_RANGE.fullmatch((header or "").replace(" ", ""))
    if found is None:
        return "all"
    first, last, ending = found.groups()
    if ending is not None:
        return "part" if int(ending) and size else "nothing"
    if last and int(last) < int(first):
        return "all"
    return "part" if int(first) < size else "nothing"


def has_it(header: str | None, etag: str) -> bool:
    """Whether an `If-None-Match` header names the version `etag`, or any."""
    given = [each.strip().removeprefix("W/") for each in (header or "").split(",")]
    return etag in given or given == ["*"]
