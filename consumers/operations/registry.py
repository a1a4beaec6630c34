"""Every operation by name.

`bus.topology.OPERATIONS` names them, since the broker routes by these names; `remove-background` is described by
`OPERATION` in `consumers/operations/remove_background.py`, and so on. A new one is a file here and its name there.
"""

from collections.abc import Mapping
from importlib import import_module
from types import MappingProxyType

from bus.topology import OPERATIONS
from consumers.operations.operation import Operation


def find(name: str) -> Operation:
    """The operation called `name`, from its module. Raises ImportError when there is no such module."""
    module = import_module(f"consumers.operations.{name.replace('-', '_')}")
    operation: Operation = module.OPERATION
    return operation


REGISTRY: Mapping[str, Operation] = MappingProxyType({name: find(name) for name in OPERATIONS})
