"""What a request would rather have (RFC 7240), as far as we know it: `Prefer: wait=30`. Pure."""

from collections.abc import Iterable
from typing import Final

LONGEST_WAIT_S: Final = 60


def wait_s(headers: Iterable[str]) -> int | None:
    """Seconds to wait for the result, at most 60, or None; `headers` are the values of all headers `Prefer`.

    The first `wait` counts. One that is no whole number is ignored, as the standard asks of what isn't understood.
    """
    for preference in ",".join(headers).split(","):
        name, _, value = preference.partition(";")[0].partition("=")
        if name.strip().lower() == "wait":
            return _seconds(value.strip().strip('"'))
    return None


def _seconds(text: str) -> int | None:
    if not (text.isascii() and text.isdigit()):
        return None
    return LONGEST_WAIT_S if len(text) > 5 else min(int(text), LONGEST_WAIT_S)
