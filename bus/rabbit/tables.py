"""AMQP tables as they were sent: what pika 1.4 would change in a header, or could not read at all.

pika reads a double as a whole number, so a caller's `{"strength": 0.5}` came as 0. And it raises on a NaN, on a time
after the year 9999 and on a few hundred tables in one another: an exception in its reader ends the connection, and the
message, delivered again, would end the next one too.
"""

import struct
from datetime import UTC, datetime
from typing import Any, Final

from pika import data

_FLOATS: Final = {b"f": struct.Struct(">f"), b"d": struct.Struct(">d")}
_SECONDS: Final = struct.Struct(">Q")
_LENGTH: Final = struct.Struct(">I")
_pikas_value: Final = data.decode_value
_pikas_table: Final = data.decode_table


def decode_value(encoded: bytes, offset: int) -> tuple[Any, int]:
    """One field of a table and where the next begins."""
    kind = encoded[offset : offset + 1]
    if kind in _FLOATS:
        form = _FLOATS[kind]
        return form.unpack_from(encoded, offset + 1)[0], offset + 1 + form.size
    if kind == b"T":
        return _time(_SECONDS.unpack_from(encoded, offset + 1)[0]), offset + 1 + _SECONDS.size
    value: tuple[Any, int] = _pikas_value(encoded, offset)
    return value


def decode_table(encoded: bytes, offset: int) -> tuple[dict[Any, Any], int]:
    """A table and where the next field begins; one that holds too many in one another is read as empty."""
    try:
        table: tuple[dict[Any, Any], int] = _pikas_table(encoded, offset)
    except RecursionError:
        return {}, offset + _LENGTH.size + _LENGTH.unpack_from(encoded, offset)[0]
    return table


def _time(seconds: int) -> datetime | int:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return seconds


def read_as_sent() -> None:
    """Have pika read tables by the functions above. Its own call each other by these names."""
    data.decode_value = decode_value
    data.decode_table = decode_table
