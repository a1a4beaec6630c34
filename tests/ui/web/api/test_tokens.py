"""API tokens over HTTP."""

import httpx

from tests.ui.web.api.house import House
from tests.ui.web.api.people import logged_in


def test_a_token_is_told_once_and_does_what_its_maker_may(house: House) -> None:
    with logged_in(house) as browser:
        made = browser.post("/api/v1/tokens", json={"name": "nightly batch"})
        (listed,) = browser.get("/api/v1/tokens").json()["tokens"]
        me = browser.get("/api/v1/me").json()["name"]
    assert made.status_code == 201
    assert made.headers["cache-control"] == "no-store"
    token = made.json()["token"]
    assert token.startswith(f"ovs_{listed['id']}_")
    assert listed == {key: value for key, value in made.json().items() if key != "token"}
    with house.client(token) as program:
        assert program.get("/api/v1/me").json()["name"] == me
        assert program.get("/api/v1/jobs").status_code == 200


def test_a_token_that_is_revoked_is_refused(house: House) -> None:
    with logged_in(house) as browser:
        made = browser.post("/api/v1/tokens", json={"name": "batch"}).json()
        with house.client(made["token"]) as program:
            assert program.get("/api/v1/me").status_code == 200
            assert browser.delete(f"/api/v1/tokens/{made['id']}").status_code == 204
            assert program.get("/api/v1/me").status_code == 401
        assert browser.delete(f"/api/v1/tokens/{made['id']}").status_code == 404
        assert browser.get("/api/v1/tokens").json() == {"tokens": []}


def test_a_token_makes_and_revokes_none(anna: httpx.Client) -> None:
    assert anna.post("/api/v1/tokens", json={"name": "another"}).status_code == 403
    (own,) = anna.get("/api/v1/tokens").json()["tokens"]
    assert anna.delete(f"/api/v1/tokens/{own['id']}").status_code == 403
    assert anna.get("/api/v1/me").status_code == 200


def test_somebody_elses_token_is_as_one_that_is_not_there(house: House) -> None:
    with logged_in(house) as browser, logged_in(house) as other:
        made = browser.post("/api/v1/tokens", json={"name": "batch"}).json()
        assert other.delete(f"/api/v1/tokens/{made['id']}").status_code == 404
        assert len(browser.get("/api/v1/tokens").json()["tokens"]) == 1


def test_a_token_needs_a_name_that_can_be_read(house: House) -> None:
    with logged_in(house) as browser:
        for name in ("", " ", "a\nb", "x" * 101):
            answer = browser.post("/api/v1/tokens", json={"name": name})
            assert (answer.status_code, answer.json()["field"]) == (422, "name")
