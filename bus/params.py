"""The parameters of an operation, as a caller may write them: an AMQP table, or JSON as text."""

import json
from decimal import Decimal
from typing import Annotated, Any

from pydantic import BeforeValidator
from pydantic_core import PydanticCustomError

PARAMS_BYTES = 16_384
"""The most `params` may take as JSON. A header that outgrew its frame would end the connection that carries it."""
PARAMS_DEPTH = 8


def _params(value: Any) -> Any:
    """`params` as a plain JSON object, the same at every hop: from a JSON string, or from an AMQP table."""
    if value is None or value in ("", b""):
        return {}
    if isinstance(value, bytes | str):
        value = _parsed(value)
    if not isinstance(value, dict):
        raise ValueError('must be a JSON object such as {"format": "png"}')  # noqa: TRY004 (pydantic wants it)
    if _deeper_than(PARAMS_DEPTH, value):
        raise ValueError(f"must be nested at most {PARAMS_DEPTH} levels deep")
    text = _written(value)
    if len(text) > PARAMS_BYTES:
        raise PydanticCustomError("too_long", f"must be at most {PARAMS_BYTES} bytes", {"max_length": PARAMS_BYTES})
    return json.loads(text)


def _parsed(text: bytes | str) -> Any:
    try:
        return json.loads(text)
    except ValueError as error:
        raise ValueError(f"is not JSON ({error})") from None
    except RecursionError:
        raise ValueError("is nested too deeply to be read") from None


def _written(value: dict[Any, Any]) -> str:
    try:
        return json.dumps(value, default=_plain, allow_nan=False)
    except TypeError:  # a key that was not UTF-8 comes as bytes
        raise ValueError("has a key that is not text") from None


def _deeper_than(levels: int, value: Any) -> bool:
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    return levels < 0 or any(_deeper_than(levels - 1, item) for item in inner)


def _plain(value: Any) -> Any:
    """What an AMQP table may hold and JSON may not: decimals, bytes, points in time."""
    if isinstance(value, Decimal):
        return float(value)
    return value.decode(errors="replace") if isinstance(value, bytes) else str(value)


Params = Annotated[dict[str, Any], BeforeValidator(_params)]
"""Parameters as a plain JSON object."""
