"""What bytes look like from their first few, so that a refusal can name what was sent."""

from typing import NamedTuple


class Sniffed(NamedTuple):
    """A kind of file, and whether overspill reads it."""

    name: str
    readable: bool


_BRANDS = {b"avif": "AVIF", b"avis": "AVIF", b"heic": "HEIC", b"heix": "HEIC", b"hevc": "HEIC", b"mif1": "HEIC"}
_RIFF = {b"WEBP": Sniffed("WebP", True), b"AVI ": Sniffed("AVI video", False), b"WAVE": Sniffed("WAV sound", False)}
_READABLE = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF8": "GIF",
    b"II*\0": "TIFF",
    b"MM\0*": "TIFF",
    b"II+\0": "TIFF",
    b"MM\0+": "TIFF",
    b"BM": "BMP",
}
_OTHERS = {
    b"%PDF": "PDF",
    b"%!PS": "PostScript",
    b"8BPS": "Photoshop",
    b"\0\0\1\0": "ICO",
    b"\0\0\0\x0cjP  ": "JPEG 2000",
    b"\xff\x4f\xff\x51": "JPEG 2000",
    b"\0\0\0\x0cJXL ": "JPEG XL",
    b"\xff\x0a": "JPEG XL",
    b"PK\3\4": "ZIP",
    b"\x1f\x8b": "gzip",
    b"<svg": "SVG",
    b"<?xml": "XML or SVG",
    b"<!doctype html": "HTML",
    b"<html": "HTML",
    b"data:": "a data: URL",
    b"/9j/": "base64",
    b"iVBORw0KGgo": "base64",
    b"{": "JSON",
}


def sniff(body: bytes) -> Sniffed | None:
    """The kind of file `body` begins like, or None when it is like nothing known here."""
    if body[:4] == b"RIFF":
        return _RIFF.get(body[8:12])
    if body[4:8] == b"ftyp":
        brand = _BRANDS.get(body[8:12], "an MP4-like")
        return Sniffed(brand, brand == "AVIF")
    head = body[:64].lstrip().lower()
    for magic, name in _READABLE.items():
        if body.startswith(magic):
            return Sniffed(name, True)
    for magic, name in _OTHERS.items():
        if body.startswith(magic) or head.startswith(magic.lower()):
            return Sniffed(name, False)
    return None
