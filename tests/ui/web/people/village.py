"""People over a real database, with passwords that are cheap to hash and a clock that stands still until it is set."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

from argon2.profiles import CHEAPEST
from starlette.requests import HTTPConnection

from bus.settings import Settings
from ui.web.jobs import rows
from ui.web.jobs.database import Database
from ui.web.people import accounts, tables
from ui.web.people.accounts import Account
from ui.web.people.passwords import Passwords
from ui.web.people.people import People
from ui.web.people.person import Role

PASSWORD = "correct horse battery"
DAY_MS = 86_400_000


class Village:
    """Some people, and what the tests do with them."""

    def __init__(self, people: People, database: Database) -> None:
        self.people, self.database = people, database
        self.now_ms = 1_700_000_000_000

    async def add(self, name: str, role: Role = "user", password: str | None = PASSWORD) -> None:
        """An account; without a password it is one of a provider."""
        kept = Passwords(CHEAPEST).hash_now(password) if password else None
        issuer = None if password else "https://accounts.example"
        await self.database.run(accounts.add, Account(name, role, kept, issuer, issuer and name, 0))

    async def logged_in(self, name: str, **where: Any) -> dict[str, str]:
        """The header of somebody who logs in."""
        connection = asked(**where)
        person, kept = await self.people.check_password(name, PASSWORD, connection)
        return {"cookie": (await self.people.log_in(person, connection, kept)).partition(";")[0]}


def asked(
    headers: dict[str, str] | Sequence[tuple[str, str]] = (), client: str = "127.0.0.1", scheme: str = "http"
) -> HTTPConnection:
    """A connection, as a server hands it to an application."""
    pairs = headers.items() if isinstance(headers, dict) else headers
    raw = [(name.lower().encode(), value.encode("latin-1")) for name, value in (("host", "page.example"), *pairs)]
    return HTTPConnection({"type": "http", "scheme": scheme, "client": (client, 50_000), "headers": raw, "path": "/"})


@asynccontextmanager
async def village(folder: Path, **settings: Any) -> AsyncIterator[Village]:
    """People under these settings; local accounts unless they say otherwise."""
    database = Database(folder / "page.db", rows.SCHEMA + tables.SCHEMA)
    await database.open()
    people = People(Settings(**settings), database, lambda: there.now_ms, Passwords(CHEAPEST))
    there = Village(people, database)
    await people.start()
    yield there
    await people.close()
    await database.close()
