"""One's own account over HTTP."""

import uuid

import httpx
import pytest

from bus.clock import now_ms
from bus.errors import BadInput
from tests.ui.web.api.asking import ended, submit
from tests.ui.web.api.house import House
from tests.ui.web.api.people import PASSWORD, log_in, logged_in
from ui.web.jobs.removed_users import HELD_MS
from ui.web.people import accounts

NEW = "a donkey of another colour"


def test_a_new_password_ends_all_logins_but_the_one_that_set_it(house: House) -> None:
    with logged_in(house) as browser:
        name = browser.get("/api/v1/me").json()["name"]
        with logged_in(house, name) as forgotten:
            changed = browser.post("/api/v1/me/password", json={"old": PASSWORD, "new": NEW})
            assert changed.status_code == 204
            assert browser.get("/api/v1/me").json()["name"] == name
            assert forgotten.get("/api/v1/me").status_code == 401
            assert log_in(forgotten, name).status_code == 401
            assert log_in(forgotten, name, NEW).status_code == 200


@pytest.mark.parametrize(
    ("old", "new", "status"), [("not this one", NEW, 401), (PASSWORD, "short", 422), (PASSWORD, "", 422)]
)
def test_the_old_one_must_be_right_and_the_new_one_good(house: House, old: str, new: str, status: int) -> None:
    with logged_in(house) as browser:
        answer = browser.post("/api/v1/me/password", json={"old": old, "new": new})
        assert answer.status_code == status
        assert PASSWORD not in answer.text
        assert browser.get("/api/v1/me").status_code == 200


def test_the_logins_that_hold_are_listed_and_ended_together(house: House) -> None:
    with logged_in(house) as browser:
        name = browser.get("/api/v1/me").json()["name"]
        with logged_in(house, name) as other:
            listed = browser.get("/api/v1/me/sessions").json()["sessions"]
            assert [one["address"] for one in listed] == ["127.0.0.1"] * 2
            assert listed[0]["agent"].startswith("python-httpx")
            assert browser.delete("/api/v1/me/sessions").status_code == 204
            assert browser.get("/api/v1/me").status_code == 401
            assert other.get("/api/v1/me").status_code == 401


def test_whoever_gets_a_removed_name_finds_nothing_of_who_had_it(house: House) -> None:
    name, database, at_ms = f"person-{uuid.uuid4().hex[:12]}", house.web.people._database, now_ms()
    token = house.token(name)
    with house.client(token) as before:
        jobs = [submit(before).json()["id"] for _ in range(2)]
        for job in jobs:
            ended(before, job)
        house.do(database.run(accounts.remove, name, at_ms))
        house.call(house.web.people.callers.forget)
        assert before.get("/api/v1/jobs").status_code == 401
    with pytest.raises(BadInput, match="not free"):
        house.token(name)
    house.do(house.web.desk._upkeep.once(at_ms + HELD_MS))
    with house.client(house.token(name)) as after, house.client(token) as before:
        assert before.get("/api/v1/me").status_code == 401
        assert after.get("/api/v1/jobs").json()["jobs"] == []
        assert after.get(f"/api/v1/jobs/{jobs[0]}").status_code == 404
    assert not any(house.web.desk.files.path("pictures", job).exists() for job in jobs)


def test_a_token_neither_changes_a_password_nor_ends_a_login(anna: httpx.Client) -> None:
    assert anna.post("/api/v1/me/password", json={"old": PASSWORD, "new": NEW}).status_code == 403
    assert anna.delete("/api/v1/me/sessions").status_code == 403
