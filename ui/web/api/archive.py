"""A zip archive, piece by piece, its files stored as they are: pictures don't shrink. Pure.

The standard library's writer can stream too, but then writes each file's size and checksum behind it, which some
readers refuse for files that are not compressed. Here both come first, as the format was meant.
"""

import struct
from dataclasses import dataclass
from typing import Final

_UTF8: Final = 0x0800
_VERSION: Final = 45
"""Of the format: the first with 64-bit offsets."""
_UNIX: Final = 3
_READABLE_FILE: Final = 0o100644 << 16
_FULL: Final = 0xFFFFFFFF
_MANY: Final = 0xFFFF
Moment = tuple[int, int, int, int, int, int]
"""Year, month, day, hour, minute, second, as a clock on the wall says."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One file: its name, size in bytes (below 4 GiB), CRC-32, where in the archive it begins, and when it was made."""

    name: str
    size: int
    crc: int
    offset: int
    modified: Moment

    @property
    def header(self) -> bytes:
        """What comes before the file's bytes."""
        name = self.name.encode()
        fields = (b"PK\3\4", _VERSION, _UTF8, 0, *_packed(self.modified), self.crc, self.size, self.size, len(name), 0)
        return struct.pack("<4s5H3I2H", *fields) + name

    @property
    def end(self) -> int:
        """Where the next file begins."""
        return self.offset + len(self.header) + self.size


def directory(entries: list[Entry]) -> bytes:
    """What comes after all files; the archive is whole then."""
    listed = b"".join(_listed(entry) for entry in entries)
    offset = entries[-1].end if entries else 0
    return listed + _end(len(entries), len(listed), offset)


def _listed(entry: Entry) -> bytes:
    name = entry.name.encode()
    far = entry.offset >= _FULL
    extra = struct.pack("<HHQ", 1, 8, entry.offset) if far else b""
    made_by = _UNIX << 8 | _VERSION
    fields = (b"PK\1\2", made_by, _VERSION, _UTF8, 0, *_packed(entry.modified), entry.crc, entry.size, entry.size)
    rest = (len(name), len(extra), 0, 0, 0, _READABLE_FILE, _FULL if far else entry.offset)
    return struct.pack("<4s6H3I5H2I", *fields, *rest) + name + extra


def _end(count: int, size: int, offset: int) -> bytes:
    last = struct.pack(
        "<4s4H2IH", b"PK\5\6", 0, 0, min(count, _MANY), min(count, _MANY), min(size, _FULL), min(offset, _FULL), 0
    )
    if count < _MANY and offset + size < _FULL:
        return last
    large = struct.pack("<4sQ2H2I4Q", b"PK\6\6", 44, _VERSION, _VERSION, 0, 0, count, count, size, offset)
    return large + struct.pack("<4sIQI", b"PK\6\7", 0, offset + size, 1) + last


def _packed(moment: Moment) -> tuple[int, int]:
    """Time and date in 16 bits each, from 1980 to 2107, to the two seconds."""
    year, month, day, hour, minute, second = moment
    return hour << 11 | minute << 5 | second // 2, min(max(year - 1980, 0), 127) << 9 | month << 5 | day
