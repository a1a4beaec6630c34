"""What everything on the wire is made of: models, short strings, counts, and the limits that all of them keep."""

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, WithJsonSchema
from pydantic_core import PydanticCustomError

from bus.trace_context import LONGEST, readable

JSON = "application/json"
SHORT_BYTES = 255
"""The most an AMQP short string holds: ids, keys and queue names."""
MOST = 2**62
"""The largest whole number that is believed: sums and differences of two of them still fit the 64 bits of AMQP."""


class WireModel(BaseModel):
    """What all models on the wire have in common."""

    model_config = ConfigDict(frozen=True, allow_inf_nan=False)


def _short(value: str) -> str:
    if len(value.encode()) > SHORT_BYTES:
        raise PydanticCustomError("too_long", "must be at most 255 bytes of UTF-8", {"max_length": SHORT_BYTES})
    return value


ShortStr = Annotated[str, AfterValidator(_short), WithJsonSchema({"type": "string", "maxLength": SHORT_BYTES})]
"""Text that fits an AMQP short string."""


Traceparent = Annotated[
    str | None,
    BeforeValidator(readable),
    WithJsonSchema({"anyOf": [{"type": "string", "maxLength": LONGEST}, {"type": "null"}]}),
]
"""The trace and the span that something belongs to; absent where what came is no such thing."""


def cut(text: str, most: int = SHORT_BYTES) -> str:
    """`text` cut to `most` bytes of UTF-8."""
    return text.encode(errors="replace")[:most].decode(errors="ignore")


def is_count(value: Any, most: int = MOST) -> bool:
    """Whether a header is a whole number that can be believed."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= most
