"""Which dead letters are meant by ids, beginnings of ids, and jobs."""

import pytest

from bus.errors import OverspillError
from bus.messages import Message
from producers.letter import Letter, letter_of
from ui.commands.dead_names import named

CUP, MUG, BENS = (
    letter_of(Message(b"picture", "dead", {"user": user, "reason": "it failed"}, message_id=job), 0)
    for job, user in (("cup", "anna"), ("mug", "anna"), ("cup", "ben"))
)
ALL = [CUP, MUG, BENS]


@pytest.mark.parametrize(
    ("ids", "meant"),
    [
        ([MUG.id], [MUG]),
        ([MUG.id[:4], BENS.id[:10]], [MUG, BENS]),
        (["mug"], [MUG]),
        (["mug", MUG.id], [MUG]),
    ],
    ids=["an id", "beginnings", "a job", "one named twice"],
)
def test_letters_are_named_by_their_ids_or_jobs(ids: list[str], meant: list[Letter]) -> None:
    assert named(ids, ALL) == meant


def test_what_names_several_lists_them() -> None:
    with pytest.raises(OverspillError, match="2 dead jobs may be meant by cup") as told:
        named(["cup"], ALL)
    assert f"{CUP.id[:10]} (job cup of anna): it failed" in str(told.value)
    assert f"{BENS.id[:10]} (job cup of ben): it failed" in str(told.value)


@pytest.mark.parametrize(("given", "why"), [("0000", "There is no dead job 0000"), ("x", "'x' is too short")])
def test_what_names_none_says_so(given: str, why: str) -> None:
    with pytest.raises(OverspillError, match=why):
        named([given], ALL)
