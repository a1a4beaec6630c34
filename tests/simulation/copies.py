"""Models by the hundred thousand: copied from one that was checked, since checking each would take too long."""

from typing import Any, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)


def like(template: M, **changes: Any) -> M:
    """A copy with other values, unchecked: what `model_copy(update=...)` makes, in a fifth of the time."""
    copy = object.__new__(type(template))
    object.__setattr__(copy, "__dict__", {**template.__dict__, **changes})
    object.__setattr__(copy, "__pydantic_fields_set__", {*template.__pydantic_fields_set__, *changes})
    object.__setattr__(copy, "__pydantic_extra__", None)
    object.__setattr__(copy, "__pydantic_private__", None)
    return copy
