"""The example in docs/operations.md is a working operation."""

import re
from pathlib import Path
from typing import Any

import numpy as np

from consumers.models import Models
from consumers.operations import Limits, Operation
from consumers.operations.operation import ImageFormat
from tests.consumers.operations.pictures import array, gradient, opened, saved

DOCS = Path(__file__).parents[3] / "docs" / "operations.md"


def test_the_example_runs() -> None:
    code = re.search(r"```python\n(.*?)```", DOCS.read_text(), re.DOTALL)
    assert code is not None
    names: dict[str, Any] = {}
    exec(code[1], names)  # noqa: S102 (our own page)
    operation: Operation = names["OPERATION"]
    runner = operation.load(Models(Path()))
    out = runner.run(saved(gradient(), "PNG"), operation.parse({}), Limits())
    assert np.array_equal(array(opened(out.body)), 255 - array(gradient()))


def test_every_parameter_is_documented() -> None:
    from consumers.operations import REGISTRY

    text = DOCS.read_text()
    for operation in REGISTRY.values():
        section = text.split(f"\n## {operation.name}\n")[1].split("\n## ")[0]
        assert {name for name in operation.params.model_fields if f"| `{name}` |" not in section} == set()


def test_every_format_is_documented() -> None:
    assert all(f"`{name}`" in DOCS.read_text() for name in ImageFormat.__args__)  # type: ignore[attr-defined]
