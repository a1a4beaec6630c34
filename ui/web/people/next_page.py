"""Where somebody goes after a login: back to where they came from, if that is a page of ours. Pure."""

from typing import Final

HOME: Final = "/"
LONGEST: Final = 2000
_NOT_TO: Final = ("/login", "/logout")


def next_page(wished: str | None) -> str:
    r"""`wished` if it is a path of this page, else the first page.

    Browsers take `//evil.example` and `/\evil.example` for other hosts, and leave tabs and line ends out before they
    look: nothing but printable ASCII without backslashes is taken.
    """
    path = wished or HOME
    strange = len(path) > LONGEST or not path.isascii() or not path.isprintable() or "\\" in path or " " in path
    if strange or not path.startswith("/") or path.startswith(("//", *_NOT_TO)):
        return HOME
    return path
