"""The session's cookie: its name, and how it is given and taken away. Pure."""


def cookie_name(*, secure: bool) -> str:
    """What it is called. Over https browsers hold a `__Host-` one to this very host: no neighbour can set it for us."""
    return "__Host-overspill" if secure else "overspill"


def set_cookie(token: str, holds_s: int, *, secure: bool) -> str:
    """The value of the `Set-Cookie` header that gives a browser the token for so many seconds; 0 takes it away.

    No script reads it, no other site's form or frame sends it, and over https nothing else carries it.
    """
    only_https = "; Secure" if secure else ""
    return f"{cookie_name(secure=secure)}={token}; Path=/; Max-Age={holds_s}; HttpOnly; SameSite=Lax{only_https}"
