import asyncio
import re
import threading
from collections.abc import AsyncIterator
from dataclasses import replace

import argon2
import pytest
from argon2.profiles import CHEAPEST, RFC_9106_LOW_MEMORY

from bus.errors import BadInput
from ui.web.people.passwords import AT_A_TIME, IN_LINE, Passwords, check_strength, new_password
from ui.web.people.person import TooMany


@pytest.fixture
async def passwords() -> AsyncIterator[Passwords]:
    made = Passwords(CHEAPEST)
    yield made
    made.close()


@pytest.mark.parametrize("password", ["correct horse battery", "żółw-i-ślimak", "x7#kQ9!mPz"])
def test_passwords_that_will_do(password: str) -> None:
    check_strength(password, "anna")


@pytest.mark.parametrize(
    "password", ["", "short", "123456789", "aaaaaaaaaaaa", "ababababab", "anna.miller", "x" * 1025]
)
def test_passwords_that_will_not(password: str) -> None:
    with pytest.raises(BadInput, match="password") as caught:
        check_strength(password, "Anna.Miller")
    assert caught.value.problem.field == "password"


def test_passwords_made_up_are_strong_and_never_the_same() -> None:
    made = {new_password() for _ in range(100)}
    assert len(made) == 100
    for password in made:
        check_strength(password, "anna")


async def test_a_password_is_known_by_its_hash_alone(passwords: Passwords) -> None:
    kept = await passwords.hashed("correct horse battery")
    assert "horse" not in kept
    assert kept != await passwords.hashed("correct horse battery")  # salted
    assert await passwords.is_right(kept, "correct horse battery")
    assert not await passwords.is_right(kept, "Correct horse battery")


@pytest.mark.parametrize("kept", [None, "", "not a hash", "$argon2id$v=19$m=8,t=1,p=1$c29tZXNhbHQ$!!"])
async def test_no_password_is_right_where_none_is_kept(passwords: Passwords, kept: str | None) -> None:
    assert not await passwords.is_right(kept, "correct horse battery")


async def test_any_text_can_be_tried(passwords: Passwords) -> None:
    kept = await passwords.hashed("\ud800 correct horse")
    assert await passwords.is_right(kept, "\ud800 correct horse")
    assert not await passwords.is_right(kept, "x" * 100_000)


async def test_saying_no_to_a_stranger_takes_the_same_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """By construction: with and without an account one hash of the same parameters is checked."""
    checked: list[str] = []
    verify = argon2.PasswordHasher.verify

    def noted(hasher: argon2.PasswordHasher, kept: str, password: bytes) -> bool:
        checked.append(re.sub(r"\$[^$]*\$[^$]*$", "", kept))
        return verify(hasher, kept, password)

    monkeypatch.setattr(argon2.PasswordHasher, "verify", noted)
    passwords = Passwords(CHEAPEST)
    assert not await passwords.is_right(await passwords.hashed("correct horse battery"), "wrong")
    assert not await passwords.is_right(None, "wrong")
    assert len(checked) == 2
    assert len(set(checked)) == 1
    passwords.close()


async def test_hashes_of_other_parameters_are_outdated(passwords: Passwords) -> None:
    better = Passwords(replace(CHEAPEST, time_cost=2))
    kept = await passwords.hashed("correct horse battery")
    assert not passwords.is_outdated(kept)
    assert better.is_outdated(kept)
    assert await better.is_right(kept, "correct horse battery")
    better.close()


def test_passwords_are_kept_as_rfc_9106_says() -> None:
    made = Passwords().hash_now("correct horse battery")
    assert argon2.extract_parameters(made) == RFC_9106_LOW_MEMORY


async def test_few_are_hashed_at_a_time_and_a_crowd_is_told_to_come_back(
    passwords: Passwords, monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, go_on, at_once = threading.Semaphore(0), threading.Event(), []

    def slow(_hasher: argon2.PasswordHasher, _password: bytes) -> str:
        begun.release()
        at_once.append(threading.current_thread().name)
        assert go_on.wait(30)
        return "kept"

    monkeypatch.setattr(argon2.PasswordHasher, "hash", slow)
    crowd = [asyncio.create_task(passwords.hashed("correct horse")) for _ in range(AT_A_TIME + IN_LINE)]
    for _ in range(AT_A_TIME):
        assert await asyncio.to_thread(begun.acquire, timeout=30)
    with pytest.raises(TooMany) as caught:
        await passwords.hashed("correct horse")
    assert caught.value.problem.retry_after_s == 5
    assert len(at_once) == AT_A_TIME
    go_on.set()
    assert set(await asyncio.gather(*crowd)) == {"kept"}
    assert await passwords.hashed("correct horse") == "kept"
