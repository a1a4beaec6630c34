"""Somebody who has logged in with a password, as a browser does."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager

import httpx

from bus.clock import now_ms
from tests.ui.web.api.house import House
from ui.web.people import accounts
from ui.web.people.accounts import Account
from ui.web.people.limits import Logins

PASSWORD = "correct horse battery"


@contextmanager
def logged_in(house: House, name: str | None = None) -> Iterator[httpx.Client]:
    """A browser in which somebody new, or who is called `name` already, has logged in."""
    if name is None:
        name = f"person-{uuid.uuid4().hex[:12]}"
        password = house.do(house.web.people._passwords.hashed(PASSWORD))
        house.do(house.web.people._database.run(accounts.add, Account(name, "user", password, None, None, now_ms())))
    # A whole suite logs in from one address, oftener than anybody may in a minute.
    house.web.people._logins = Logins()
    with house.client() as client:
        answer = log_in(client, name)
        assert answer.status_code == 200, answer.text
        yield client


def set_password(house: House, name: str) -> None:
    """Let somebody who has a token log in too."""
    kept = house.do(house.web.people._passwords.hashed(PASSWORD))
    house.do(house.web.people._database.run(accounts.change_password, name, kept))


def log_in(client: httpx.Client, name: str, password: str = PASSWORD) -> httpx.Response:
    return client.post("/login", json={"name": name, "password": password})
