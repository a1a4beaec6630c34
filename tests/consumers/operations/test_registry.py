import subprocess
import sys

import pytest

from bus.errors import BadInput
from bus.topology import OPERATIONS
from consumers.operations import REGISTRY

HEAVY = ("cv2", "PIL", "numpy", "rembg", "torch", "transformers", "onnxruntime", "pika")


def test_it_holds_what_the_broker_routes() -> None:
    assert tuple(REGISTRY) == OPERATIONS
    assert [operation.name for operation in REGISTRY.values()] == list(OPERATIONS)


def test_importing_it_is_light() -> None:
    code = f"import sys, consumers.operations; print(sorted(set({HEAVY}) & set(sys.modules)))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"


@pytest.mark.parametrize("name", OPERATIONS)
def test_its_defaults_are_valid_and_its_costs_grow(name: str) -> None:
    operation = REGISTRY[name]
    assert operation.parse({}) == operation.params()
    assert 0 < operation.seconds(0.5) < operation.seconds(12) < 60


@pytest.mark.parametrize("name", OPERATIONS)
def test_an_unknown_parameter_is_named(name: str) -> None:
    with pytest.raises(BadInput) as caught:
        REGISTRY[name].parse({"colour": "red"})
    assert caught.value.problem.field == "params.colour"


def test_a_parameter_out_of_range_is_named_with_its_limit() -> None:
    with pytest.raises(BadInput) as caught:
        REGISTRY["sketch"].parse({"strength": 1.5})
    assert (caught.value.problem.field, caught.value.problem.limit) == ("params.strength", 1)
