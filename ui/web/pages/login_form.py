"""The login page's HTML: plain forms and links, which need no script and no websocket. Pure."""

from collections.abc import Mapping
from html import escape
from typing import Final
from urllib.parse import quote

from ui.web.pages import shell
from ui.web.people.next_page import HOME, next_page

STYLES: Final = ("css/login.css",)
_LONGEST_WAIT_S: Final = 3600


def document(base: str, title: str, content: str) -> str:
    """A whole page with nothing but `content` in its middle. `base` is where its styles are."""
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)} · overspill</title>{shell.head(base, STYLES)}</head>"
        f'<body class="door"><main class="door__card">{_brand(base)}{content}</main></body></html>'
    )


def form(query: Mapping[str, str]) -> str:
    """Name and password; `query` tells what was wrong with the last try, and where to go afterwards."""
    said = said_of(query)
    wrong = ' aria-invalid="true" aria-describedby="said"' if said else ""
    return (
        f"<h1>Log in</h1>{_alert(said)}"
        '<form method="post" action="/login">'
        '<label class="field"><span class="label">Name</span>'
        '<input type="text" name="name" autocomplete="username" autocapitalize="none" spellcheck="false"'
        f' maxlength="200" required autofocus{wrong}></label>'
        '<label class="field"><span class="label">Password</span>'
        '<input type="password" name="password" autocomplete="current-password"'
        f' maxlength="1024" required{wrong}></label>'
        f'<input type="hidden" name="next" value="{escape(next_page(query.get("next")))}">'
        '<button class="button main">Log in</button></form>'
        '<p class="door__hint">No account, or the password forgotten? Whoever runs this page makes both.</p>'
    )


def provider_link(provider: str, query: Mapping[str, str]) -> str:
    """The way to the OpenID provider; `provider` is its host."""
    after = next_page(query.get("next"))
    link = "/login/oidc" if after == HOME else f"/login/oidc?next={quote(after, safe='/')}"
    return (
        "<h1>Log in</h1><p>You log in where you have your account already, and come back here.</p>"
        f'<a class="button main" href="{escape(link)}">Log in with {escape(provider)}</a>'
    )


def failure(why: str) -> str:
    """A login at the provider that came to nothing, and the way to another try."""
    return f'<h1>That login did not work</h1>{_alert(why)}<a class="button main" href="/login">Try again</a>'


def said_of(query: Mapping[str, str]) -> str | None:
    """What was wrong with the last try, in words of ours."""
    told = query.get("error")
    if told == "wait":
        given = query.get("seconds", "")
        seconds = min(int(given), _LONGEST_WAIT_S) if given.isascii() and given.isdigit() and len(given) < 6 else 60
        return f"Too many logins were tried. Wait {_in_words(seconds)}, then try again."
    return "The name or the password is wrong." if told == "wrong" else None


def _in_words(seconds: int) -> str:
    if seconds >= 120:
        return f"{-(-seconds // 60)} minutes"
    return "a second" if seconds <= 1 else f"{seconds} seconds"


def _alert(said: str | None) -> str:
    return f'<p class="door__said" id="said" role="alert">{escape(said)}</p>' if said else ""


def _brand(base: str) -> str:
    return f'<p class="brand"><img src="{base}/icons/overspill.svg" width="32" height="32" alt="">overspill</p>'
