"""Lengths of time as people write them, text that is safe to show, and the name of a trace. Pure."""

import re

_SECONDS = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0}
LONGEST_DAYS = 365
_SPAN = re.compile(r"(\d+(?:\.\d+)?)\s*([smhd])")


def seconds_of(text: str) -> float:
    """The seconds in `90s`, `15m`, `24h` or `1.5d`. Raises ValueError for anything else, and for over a year."""
    found = _SPAN.fullmatch(text.strip().lower())
    if found is None:
        raise ValueError(f"{text!r} is no length of time: write a number and s, m, h or d, as in 24h.")
    seconds = float(found[1]) * _SECONDS[found[2]]
    if seconds > LONGEST_DAYS * _SECONDS["d"]:
        raise ValueError(f"{text!r} is too long: write {LONGEST_DAYS}d or less.")
    return seconds


def short(seconds: float) -> str:
    """Seconds in a few characters, as exact as they matter: `0.34 s`, `12 s`, `3 min 20 s`, `2 h 5 min`."""
    if seconds < 9.995:
        return f"{max(0.0, seconds):.2f} s"
    whole = round(seconds)
    if whole < 60:
        return f"{whole} s"
    if whole < 3600:
        return f"{whole // 60} min {whole % 60} s"
    return f"{whole // 3600} h {whole % 3600 // 60} min"


def printable(text: str) -> str:
    """Text with a mark for each control character: names and reasons come from others, and a terminal obeys them."""
    return "".join(character if character.isprintable() else "\N{REPLACEMENT CHARACTER}" for character in text)


def trace_of(traceparent: str | None) -> str | None:
    """The trace id in a W3C trace context."""
    parts = (traceparent or "").split("-")
    return parts[1] if len(parts) >= 4 and len(parts[1]) == 32 else None
