"""What we write, the standard library reads: also where offsets outgrow 32 bits, and entries 16."""

import io
import zipfile
import zlib

from hypothesis import given
from hypothesis import strategies as st

from ui.web.api.archive import Entry, directory

MOMENT = (2026, 11, 23, 8, 30, 59)


def archive(files: list[tuple[str, bytes]], first_at: int = 0) -> tuple[bytes, list[Entry]]:
    """An archive whose first file begins at `first_at`; what lies before that is left out."""
    written, entries, offset = b"", [], first_at
    for name, body in files:
        entry = Entry(name, len(body), zlib.crc32(body), offset, MOMENT)
        entries.append(entry)
        written += entry.header + body
        offset = entry.end
    assert len(written) == offset - first_at
    return written + directory(entries), entries


@given(
    st.lists(
        st.tuples(st.text(min_size=1, max_size=20).filter(lambda n: "\0" not in n), st.binary()),
        unique_by=lambda f: f[0],
    )
)
def test_an_archive_holds_its_files(files: list[tuple[str, bytes]]) -> None:
    written, _ = archive(files)
    with zipfile.ZipFile(io.BytesIO(written)) as read:
        assert read.testzip() is None
        found = [(info.orig_filename, read.read(info)) for info in read.infolist()]
    assert found == [(name.encode("utf-8", "surrogatepass").decode(), body) for name, body in files]


def test_files_are_dated_and_stored_and_readable() -> None:
    written, _ = archive([("a ☕.txt", b"x")])
    with zipfile.ZipFile(io.BytesIO(written)) as read:
        info = read.infolist()[0]
    assert info.date_time == (2026, 11, 23, 8, 30, 58)
    assert info.compress_type == zipfile.ZIP_STORED
    assert info.external_attr >> 16 == 0o100644


def test_more_than_65534_files_fit() -> None:
    _, entries = archive([("a", b"")])
    many = [Entry(f"{number}", 0, 0, 0, MOMENT) for number in range(70_000)]
    assert len(directory(many)) > len(directory(entries))
    body = b"".join(entry.header for entry in entries)
    with zipfile.ZipFile(io.BytesIO(body + directory_at(many, len(body)))) as read:
        assert len(read.infolist()) == 70_000


def directory_at(entries: list[Entry], offset: int) -> bytes:
    """A directory that lies at `offset`: its last entry is what ends there."""
    last = Entry("z", 0, 0, offset - len(Entry("z", 0, 0, 0, MOMENT).header), MOMENT)
    return directory([*entries[:-1], last])


class Hollow(io.RawIOBase):
    """A file of many gigabytes of which only the end is there."""

    def __init__(self, end: bytes, before: int) -> None:
        self._end, self._before, self._at = end, before, 0

    def seekable(self) -> bool:
        return True

    def readable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = 0) -> int:
        base = (0, self._at, self._before + len(self._end))[whence]
        self._at = base + offset
        return self._at

    def tell(self) -> int:
        return self._at

    def read(self, size: int | None = -1) -> bytes:
        start = self._at - self._before
        assert start >= 0
        found = self._end[start:] if size is None or size < 0 else self._end[start : start + size]
        self._at += len(found)
        return found


def test_an_archive_may_outgrow_four_gigabytes() -> None:
    before = 5 * 2**30
    written, _ = archive([("a.txt", b"hello"), ("b.txt", b"there")], first_at=before)
    with zipfile.ZipFile(Hollow(written, before)) as read:
        assert [read.read(name) for name in ("a.txt", "b.txt")] == [b"hello", b"there"]
