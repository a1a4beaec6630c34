"""Who calls, and the refusals of those who may not. Pure."""

import re
from dataclasses import dataclass
from typing import Final, Literal

from bus.errors import ProblemError
from bus.messages import ANONYMOUS
from bus.problems import Kind, Problem

Role = Literal["user", "operator"]
Via = Literal["open", "session", "token", "proxy"]
DEMO: Final = "demo"
RESERVED: Final = frozenset({ANONYMOUS, DEMO})
"""Names that nobody can have: jobs that name no user are `anonymous`, those of an open page are `demo`'s."""
LONGEST_NAME: Final = 128
"""Characters that the bus takes as a user's name."""
_ACCOUNT: Final = re.compile(r"[a-z0-9](?:[a-z0-9._@+-]{0,62}[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class Person:
    """Someone who may use the page: `name` is the user of their jobs on the bus, `via` how we know them."""

    name: str
    role: Role
    via: Via

    @property
    def is_operator(self) -> bool:
        """Whether they see the dashboard and may turn its switches."""
        return self.role == "operator"


class NotLoggedIn(ProblemError):
    """Nobody we know asks: 401."""

    def __init__(self, detail: str = "This needs a login.", remedy: str | None = None) -> None:
        super().__init__(Problem.of(Kind.NOT_LOGGED_IN, detail, **({"remedy": remedy} if remedy else {})))

    def __reduce__(self) -> tuple[type["NotLoggedIn"], tuple[str, str | None]]:  # type: ignore[override]  # made of both
        return type(self), (self.problem.detail, self.problem.remedy)


class NotAllowed(ProblemError):
    """They may not do this: 403."""


class TooMany(ProblemError):
    """Too much at a time, or in too short a time: 429, and the problem tells in how many seconds it may pass."""


def not_allowed(detail: str) -> NotAllowed:
    """The refusal of somebody we know."""
    return NotAllowed(Problem.of(Kind.NOT_ALLOWED, detail))


def folded(name: str) -> str:
    """An account's name as it is kept, however it was typed."""
    return name.strip().lower()


def is_account_name(name: str) -> bool:
    """Whether an account may be called that: 1 to 64 of a-z, 0-9 and `._@+-`, letters or digits at both ends."""
    return bool(_ACCOUNT.fullmatch(name)) and name not in RESERVED


def is_name_of_proxy(name: str) -> bool:
    """Whether what a proxy named can be a user on the bus: 1 to 128 printable characters, not a reserved name."""
    return 0 < len(name) <= LONGEST_NAME and name.isprintable() and name == name.strip() and name not in RESERVED
