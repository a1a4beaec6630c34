import pytest

from consumers.operations.sniffing import sniff


@pytest.mark.parametrize(
    ("body", "name", "readable"),
    [
        (b"\xff\xd8\xff\xe0....", "JPEG", True),
        (b"RIFF\0\0\0\0WEBPVP8 ", "WebP", True),
        (b"RIFF\0\0\0\0WAVEfmt ", "WAV sound", False),
        (b"\0\0\0\x1cftypheic", "HEIC", False),
        (b"\0\0\0\x1cftypavif", "AVIF", True),
        (b"\0\0\0\x1cftypisom", "an MP4-like", False),
        (b"  \n<!DOCTYPE HTML><p>", "HTML", False),
        (b"<svg xmlns=", "SVG", False),
        (b"%!PS-Adobe-3.0 EPSF", "PostScript", False),
        (b"/9j/4AAQSkZJRg", "base64", False),
        (b'{"image": "..."}', "JSON", False),
    ],
)
def test_the_first_bytes_name_the_kind(body: bytes, name: str, readable: bool) -> None:
    assert sniff(body) == (name, readable)


@pytest.mark.parametrize("body", [b"", b"hello", b"RIFF\0\0\0\0????", bytes(64)])
def test_anything_else_is_nothing_known(body: bytes) -> None:
    assert sniff(body) is None
