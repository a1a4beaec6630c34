"""What a VM computes: decoding, the operations and their registry.

Light to import: `REGISTRY` knows every operation's name, parameters and cost; pixels, networks and their packages are
imported only by `Operation.load`, in the process that computes.
"""

from consumers.operations.operation import Limits, Operation, Output, Runner, Unavailable
from consumers.operations.registry import REGISTRY

__all__ = ["REGISTRY", "Limits", "Operation", "Output", "Runner", "Unavailable"]
