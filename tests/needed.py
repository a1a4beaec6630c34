"""What a test can't do without: lacking it skips loudly on a laptop, and fails in CI, which must have it."""

import importlib
import os
import shutil
import warnings
from types import ModuleType
from typing import NoReturn

import pytest


def lacking(what: str) -> NoReturn:
    """Skip, or in CI fail; `what` says what is missing and how to get it."""
    if os.environ.get("CI"):
        pytest.fail(f"CI must have this: {what}", pytrace=False)
    pytest.skip(f"NOT TESTED: {what}", allow_module_level=True)


def need_program(program: str, remedy: str) -> None:
    """Go on only where there is such a program."""
    if shutil.which(program) is None:
        lacking(f"no {program}; {remedy}")


def need_package(name: str, extra: str) -> ModuleType:
    """The package called `name`, of the optional dependencies `extra`; what its import warns of is not ours."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        try:
            return importlib.import_module(name)
        except ImportError as error:
            lacking(f"{error}; pip install 'overspill[{extra}]'")
