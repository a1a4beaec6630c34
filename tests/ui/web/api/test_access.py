"""Who may call, by every way of saying who one is."""

import httpx

from tests.ui.web.api.house import House


def test_both_ways_to_say_who_calls_are_in_the_document(house: House) -> None:
    with house.client() as nobody:
        document = nobody.get("/api/v1/openapi.json").json()
    schemes = document["components"]["securitySchemes"]
    assert (schemes["token"]["scheme"], schemes["session"]["in"]) == ("bearer", "cookie")
    assert document["paths"]["/jobs"]["post"]["security"] == [{"token": []}, {"session": []}]


def test_a_token_that_is_none_opens_nothing(house: House, anna: httpx.Client) -> None:
    for token in ("ovs_nonsense", "", anna.headers["authorization"][7:] + "x"):
        with house.client(token or None) as somebody:
            assert somebody.get("/api/v1/jobs").status_code == 401
