"""Multipart forms, read as they come: a picture's bytes pass through, a few short fields are kept. Pure."""

from collections.abc import Callable
from typing import Final

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from bus.errors import BadInput
from bus.params import PARAMS_BYTES
from bus.problems import Kind, Problem

IMAGE: Final = "image"
FIELDS: Final = ("operation", "params", "site", "priority", "name")
"""What is read beside the picture; other fields are ignored."""
FORM_BYTES: Final = 65_536
"""What a form may have around its picture: boundaries, headers of parts, the fields."""
_MULTIPART: Final = b"multipart/form-data"


def boundary_of(content_type: str) -> bytes | None:
    """The boundary of a multipart form, or None where the body is no form. Raises BadInput for a form without one."""
    kind, options = parse_options_header(content_type)
    if kind != _MULTIPART:
        return None
    boundary = options.get(b"boundary", b"")
    if not boundary or len(boundary) > 70:
        raise BadInput(_unreadable("its Content-Type has no boundary of 1 to 70 characters"))
    return boundary


class Form:
    """One form. Feed it what comes; `fields` and `file_name` are whole once `finish` was called."""

    def __init__(self, boundary: bytes) -> None:
        self.fields: dict[str, str] = {}
        self.file_name: str | None = None
        self._files: list[str] = []
        self._ended = False
        self._pieces: list[memoryview] = []
        self._headers: dict[bytes, bytes] = {}
        self._header, self._value = b"", b""
        self._text = bytearray()
        self._part: str | None = None
        self._on_data: Callable[[memoryview], None] = _ignore
        self._parser = MultipartParser(
            boundary,
            {
                "on_part_begin": self._begin,
                "on_header_field": self._header_name,
                "on_header_value": self._header_value,
                "on_header_end": self._header_end,
                "on_headers_finished": self._headers_end,
                "on_part_data": self._data,
                "on_part_end": self._end,
                "on_end": self._whole,
            },
        )

    def feed(self, chunk: bytes) -> list[memoryview]:
        """The parts of `chunk` that belong to the picture, not copied.

        Raises BadInput when this is no form, when a field is too long, or with a second file.
        """
        self._pieces = []
        try:
            self._parser.write(chunk)
        except FormParserError as error:
            raise BadInput(_unreadable(str(error))) from None
        return self._pieces

    def finish(self) -> None:
        """Say that nothing more comes. Raises BadInput when the form isn't whole, or has no file `image`."""
        if not self._ended:
            raise BadInput(_unreadable("it ends in the middle"))
        if self._files != [IMAGE]:
            found = f"; it has {self._files[0][:80]!r}" if self._files else ""
            raise BadInput(_wrong(IMAGE, f"the form has no file of that name{found}."))

    def _begin(self) -> None:
        self._headers = {}
        self._text = bytearray()

    def _header_name(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header, self._value = b"", b""

    def _headers_end(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition", b""))
        name = options.get(b"name", b"").decode(errors="replace")
        self._part = name if name in FIELDS else None
        self._on_data = _ignore if self._part is None else self._keep
        if name == IMAGE or b"filename" in options:
            self._file(name, options.get(b"filename"))

    def _file(self, name: str, file_name: bytes | None) -> None:
        self._files.append(name)
        if len(self._files) > 1:
            raise BadInput(_wrong(IMAGE, "the form has more than one file."))
        self._part, self._on_data = None, _ignore
        if name == IMAGE:
            self._on_data = self._pass_on
            self.file_name = None if file_name is None else file_name.decode(errors="replace")

    def _data(self, data: bytes, start: int, end: int) -> None:
        self._on_data(memoryview(data)[start:end])

    def _pass_on(self, piece: memoryview) -> None:
        self._pieces.append(piece)

    def _keep(self, piece: memoryview) -> None:
        self._text += piece
        if len(self._text) > PARAMS_BYTES:
            raise BadInput(_wrong(str(self._part), f"the field has more than {PARAMS_BYTES:,} bytes."))

    def _end(self) -> None:
        if self._part is not None:
            self.fields[self._part] = self._text.decode(errors="replace")
        self._part, self._on_data = None, _ignore

    def _whole(self) -> None:
        self._ended = True


def _ignore(_piece: memoryview) -> None:
    pass


def _wrong(field: str, why: str) -> Problem:
    remedy = (
        f"Send one picture as the file `image`, and beside it, as text, {', '.join(f'`{name}`' for name in FIELDS)}."
    )
    return Problem.of(Kind.BAD_FIELD, f"{field}: {why}", field=field, remedy=remedy)


def _unreadable(why: str) -> Problem:
    remedy = "Send the picture as the body itself, or as the file `image` of a multipart form."
    return Problem.of(Kind.BAD_REQUEST, f"The form can't be read: {why.rstrip('.')}.", remedy=remedy)
