import pickle

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bus.messages import JobHeaders
from ui.web.people.person import (
    NotLoggedIn,
    Person,
    folded,
    is_account_name,
    is_name_of_proxy,
    not_allowed,
)


@pytest.mark.parametrize("name", ["a", "7", "anna", "anna.b", "anna+b@pictures.example", "a-b_c", "x" * 64])
def test_names_an_account_may_have(name: str) -> None:
    assert is_account_name(name)


@pytest.mark.parametrize(
    "name",
    [
        "",
        "-anna",
        "anna.",
        "Anna",
        "an na",
        "anna\n",
        "änna",
        "a/b",
        "a<b>",
        "a'b",
        "..",
        "x" * 65,
        "demo",
        "anonymous",
    ],
)
def test_names_it_may_not(name: str) -> None:
    assert not is_account_name(name)


@pytest.mark.parametrize("name", ["anna", "Anna B.", "CORP\\anna", "änna", "x" * 128])
def test_names_a_proxy_may_give(name: str) -> None:
    assert is_name_of_proxy(name)


@pytest.mark.parametrize("name", ["", " anna", "anna\t", "an\x00na", "an\u202ena", "x" * 129, "demo", "anonymous"])
def test_names_it_may_not_give(name: str) -> None:
    assert not is_name_of_proxy(name)


@given(st.text(max_size=140))
def test_whoever_has_a_name_may_be_the_user_of_a_job(name: str) -> None:
    if is_account_name(name) or is_name_of_proxy(name):
        assert JobHeaders(user=name).user == name


def test_a_name_may_be_typed_as_one_likes() -> None:
    assert folded("  Anna ") == "anna"


def test_only_operators_are() -> None:
    assert Person("anna", "operator", "session").is_operator
    assert not Person("anna", "user", "token").is_operator


def test_refusals_bear_their_problems_and_travel() -> None:
    assert NotLoggedIn().problem.status == 401
    told = pickle.loads(pickle.dumps(NotLoggedIn("Who?", "Say so."))).problem  # noqa: S301 (our own bytes)
    assert (told.detail, told.remedy) == ("Who?", "Say so.")
    assert not_allowed("No.").problem.status == 403
