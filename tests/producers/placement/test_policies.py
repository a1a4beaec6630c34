from typing import get_args

from bus.settings import Settings
from producers.placement.choices import Rules
from producers.placement.policies import POLICIES
from tests.producers.placement.scenes import offer


def test_every_policy_that_the_settings_allow_is_there() -> None:
    assert set(POLICIES) == set(get_args(Settings.model_fields["policy"].annotation))


def test_only_the_threshold_finds_fault_with_a_loaded_vm() -> None:
    loaded = offer(load=99.0)
    assert {name for name, policy in POLICIES.items() if policy.verdict(loaded, Rules()) != "can take it"} == {
        "threshold"
    }
