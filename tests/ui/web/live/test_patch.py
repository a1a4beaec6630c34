"""Merge patches."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from tests.ui.web.live.patches import merged
from ui.web.live.patch import difference

NAMES = st.sampled_from("abc")
PLAIN = st.integers(0, 3) | st.text(max_size=1) | st.lists(st.integers(0, 1), max_size=2) | st.booleans()
DOCUMENTS = st.recursive(
    st.dictionaries(NAMES, PLAIN, max_size=3),
    lambda inner: st.dictionaries(NAMES, PLAIN | inner, max_size=3),
    max_leaves=8,
)


@given(DOCUMENTS, DOCUMENTS)
def test_a_patch_makes_the_new_of_the_old(old: dict[str, Any], new: dict[str, Any]) -> None:
    assert merged(old, difference(old, new)) == new


@given(DOCUMENTS)
def test_nothing_has_changed(document: dict[str, Any]) -> None:
    assert difference(document, document) == {}


def test_what_a_patch_looks_like() -> None:
    old = {"at": 1, "same": [1], "vms": {"vm1": {"cpu": 1, "ram": 2}, "vm2": {"cpu": 3}}, "why": "x"}
    new = {"at": 2, "same": [1], "vms": {"vm1": {"cpu": 9, "ram": 2}, "vm3": {"cpu": 4}}}
    patch = difference(old, new)
    assert patch == {"at": 2, "vms": {"vm1": {"cpu": 9}, "vm2": None, "vm3": {"cpu": 4}}, "why": None}


def test_an_object_may_take_the_place_of_a_value() -> None:
    assert merged({"a": 1}, {"a": {"b": 2, "c": None}}) == {"a": {"b": 2}}
