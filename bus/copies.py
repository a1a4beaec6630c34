"""Copies of models with other values, in a quarter of the time that `model_copy` takes. Pure."""

from typing import Any, Final, TypeVar

from pydantic import BaseModel

M = TypeVar("M", bound=BaseModel)

# What a model is made of. Frozen, it refuses to be assigned to, and `object`, asked to do it, looks these up each time.
_values, _fields_set, _extra, _private = (
    BaseModel.__dict__[name].__set__
    for name in ("__dict__", "__pydantic_fields_set__", "__pydantic_extra__", "__pydantic_private__")
)
_new: Final = object.__new__


def like(template: M, **changes: Any) -> M:
    """A copy with other values, unchecked: what `model_copy(update=...)` makes of a model that keeps nothing private.

    It counts the same fields as set that the template does.
    """
    copy = _new(type(template))
    _values(copy, template.__dict__ | changes)
    _fields_set(copy, template.__pydantic_fields_set__)
    _extra(copy, None)
    _private(copy, None)
    return copy
