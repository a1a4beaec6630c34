from pathlib import Path

import pytest

from consumers.models import Models
from consumers.operations import Operation, Unavailable
from consumers.operations.operation import Params, Runner, require


def _needs_a_package(_models: Models, _threads: int) -> Runner:
    raise ModuleNotFoundError("No module named 'crayons'", name="crayons")


def test_a_missing_package_makes_it_unavailable_and_says_what_to_install() -> None:
    operation = Operation("crayon", Params, _needs_a_package, lambda _: 1.0, extra="art")
    with pytest.raises(Unavailable, match=r"crayon needs the package crayons: pip install 'overspill\[art\]'"):
        operation.load(Models(Path()))


def _needs_crayons(models: Models, _threads: int) -> Runner:
    require(models, "crayon", "u2netp", package="no_such_crayons")
    raise AssertionError("required what is not here")


def test_a_package_is_missing_before_its_model_is(tmp_path: Path) -> None:
    operation = Operation("crayon", Params, _needs_crayons, lambda _: 1.0, extra="art")
    with pytest.raises(Unavailable, match=r"crayon needs the package no_such_crayons: pip install 'overspill\[art\]'"):
        operation.load(Models(tmp_path))
