"""The HTML around every page: written by the server, so that it is there before any script is. Pure."""

from collections.abc import Sequence
from html import escape

Shortcut = tuple[str, str]
"""A key, and what it does."""

_THEME = (
    "(()=>{try{const theme=localStorage.getItem('overspill.theme');"
    "if(theme==='dark'||theme==='light')document.documentElement.dataset.theme=theme}catch{}})()"
)
_SHEETS = ("css/base.css", "css/controls.css", "css/dialogs.css")
_THEMES = (("light", "Light"), ("dark", "Dark"), ("auto", "Auto"))
_EVERYWHERE: tuple[Shortcut, ...] = (("?", "Show this list"),)


def head(base: str, styles: Sequence[str] = (), modules: Sequence[str] = ()) -> str:
    """What goes into `<head>`: the theme before anything is drawn, style sheets, and modules to fetch early.

    `styles` and `modules` are paths below `base`.
    """
    sheets = "".join(f'<link rel="stylesheet" href="{base}/{name}">' for name in (*_SHEETS, *styles))
    early = "".join(f'<link rel="modulepreload" href="{base}/{name}">' for name in modules)
    return (
        f"<script>{_THEME}</script>{sheets}{early}"
        f'<link rel="icon" href="{base}/icons/overspill.svg" type="image/svg+xml">'
        f'<script type="module" src="{base}/js/frame.js"></script>'
    )


def body(base: str, current: str, links: Sequence[tuple[str, str]], menu: str, keys: Sequence[Shortcut] = ()) -> str:
    """What stands before the page's own content: the way past it, the header, and what scripts fill in later."""
    return (
        '<a class="skip" href="#content">Skip to the content</a>'
        f'<header class="bar">{_brand(base)}{navigation(current, links)}{menu}</header>'
        '<div id="notices"><p id="connection" role="status"></p><div id="toasts" role="status"></div></div>'
        f"{_shortcuts(keys)}"
    )


def navigation(current: str, links: Sequence[tuple[str, str]]) -> str:
    """Links to the pages, as (address, name); the one that is `current` is marked."""
    items = "".join(
        f'<a href="{escape(address)}"{_CURRENT if name == current else ""}>{escape(name)}</a>'
        for address, name in links
    )
    return f'<nav aria-label="Pages">{items}</nav>'


def user_menu(name: str, role: str, *, logs_out: bool) -> str:
    """Who is here, light or dark, and the way out."""
    themes = "".join(
        f'<label><input type="radio" name="theme" value="{value}"><span>{shown}</span></label>'
        for value, shown in _THEMES
    )
    out = '<form method="post" action="/logout"><button class="menu-item">Log out</button></form>' if logs_out else ""
    return (
        f'<details class="menu"><summary aria-label="Menu of {escape(name)}">'
        f'<span class="initial" aria-hidden="true">{escape(name[:1].upper())}</span></summary>'
        f'<div class="menu-sheet"><p class="menu-who"><strong>{escape(name)}</strong><span>{escape(role)}</span></p>'
        f'<fieldset class="themes"><legend>Appearance</legend><div class="segments">{themes}</div></fieldset>'
        f'<button class="menu-item" type="button" data-opens="shortcuts">Keyboard shortcuts</button>'
        f"{out}</div></details>"
    )


_CURRENT = ' aria-current="page"'


def _brand(base: str) -> str:
    return (
        f'<a class="brand" href="/"><img src="{base}/icons/overspill.svg" width="26" height="26" alt="">'
        "<span>overspill</span></a>"
    )


def _shortcuts(keys: Sequence[Shortcut]) -> str:
    rows = "".join(f"<dt>{_keys(key)}</dt><dd>{escape(does)}</dd>" for key, does in (*keys, *_EVERYWHERE))
    return (
        '<dialog id="shortcuts" aria-labelledby="shortcuts-title"><h2 id="shortcuts-title">Keyboard shortcuts</h2>'
        f'<dl class="keys">{rows}</dl>'
        '<label class="check"><input type="checkbox" id="single-keys"> Use these single keys</label>'
        '<form method="dialog"><button class="button">Close</button></form></dialog>'
    )


def _keys(key: str) -> str:
    return " ".join(f"<kbd>{escape(part)}</kbd>" for part in key.split())
