from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from ui.bench.mix import Weighted, mix_of, params_for, users_of


def test_weights_are_shares() -> None:
    assert mix_of("sketch=3, remove-background=1").shares == {"sketch": 0.75, "remove-background": 0.25}


def test_a_name_alone_counts_once_and_a_repeated_one_twice() -> None:
    assert mix_of("sketch,caption,sketch=2").shares == pytest.approx({"sketch": 0.75, "caption": 0.25})


@pytest.mark.parametrize(
    ("said", "told"),
    [
        ("sketsch=1", "'sketsch' is no operation"),
        ("sketch=0", "no weight over 0"),
        ("sketch=nan", "no weight over 0"),
        ("sketch=inf", "no weight over 0"),
        ("sketch=much", "no weight over 0"),
        (" , ", "the mix is empty"),
    ],
)
def test_what_can_t_be_meant_is_told(said: str, told: str) -> None:
    with pytest.raises(ValueError, match=told):
        mix_of(said)


def test_each_is_drawn_by_its_share() -> None:
    mix, draw = mix_of("sketch=3,caption=1"), Random(1).random
    assert sum(mix.drawn(draw) == "sketch" for _ in range(4000)) == pytest.approx(3000, abs=150)


@given(st.lists(st.floats(0.001, 1e6), min_size=1, max_size=50), st.floats(0, 1))
def test_whatever_is_drawn_is_one_of_the_names(weights: list[float], drawn: float) -> None:
    names = {str(number): weight for number, weight in enumerate(weights)}
    assert Weighted.of(names).drawn(lambda: drawn) in names


def test_users_are_alike_or_follow_zipf_s_law() -> None:
    assert users_of(4, "equal").shares == {f"bench-{k}": 0.25 for k in (1, 2, 3, 4)}
    zipf = users_of(3, "zipf").shares
    assert zipf["bench-1"] == pytest.approx(2 * zipf["bench-2"])
    assert zipf["bench-1"] == pytest.approx(3 * zipf["bench-3"])


def test_a_parameter_is_for_all_or_for_one() -> None:
    asked = params_for(["sketch", "remove-background"], {"format": "webp", "sketch.style": "charcoal"})
    assert asked == {"sketch": {"format": "webp", "style": "charcoal"}, "remove-background": {"format": "webp"}}


def test_a_parameter_for_nobody_is_told() -> None:
    with pytest.raises(ValueError, match="'caption', which is not in the mix"):
        params_for(["sketch"], {"caption.length": 3})
