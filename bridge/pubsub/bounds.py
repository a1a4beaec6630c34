"""What Pub/Sub takes in one message. Google enforces it, the emulator does not. Pure."""

from typing import Final

from bridge.envelope import ATTRIBUTE_BYTES, MOST_ATTRIBUTES, RESERVED, Parcel

MESSAGE_BYTES: Final = 10_000_000
"""The whole request, so a message a little less."""
_REQUEST_BYTES: Final = 1000
_NAME_BYTES: Final = 256


def unfit(parcel: Parcel) -> str | None:
    """Why Pub/Sub would refuse a parcel, or None when it takes it."""
    if parcel.bytes > MESSAGE_BYTES - _REQUEST_BYTES:
        return f"{parcel.bytes:,} bytes are more than the {MESSAGE_BYTES:,} of a Pub/Sub message"
    if len(parcel.attributes) > MOST_ATTRIBUTES:
        return f"{len(parcel.attributes)} attributes are more than the {MOST_ATTRIBUTES} of a Pub/Sub message"
    return next((why for name, value in parcel.attributes.items() if (why := _unfit(name, value))), None)


def _unfit(name: str, value: str) -> str | None:
    if not name or len(name.encode()) > _NAME_BYTES:
        return f"the attribute name {name[:40]!r} is not 1 to {_NAME_BYTES} bytes long"
    if name.startswith(RESERVED):
        return f"the attribute name {name[:40]!r} begins with {RESERVED!r}, which Google keeps to itself"
    if len(value.encode()) > ATTRIBUTE_BYTES:
        return f"the attribute {name[:40]!r} is longer than {ATTRIBUTE_BYTES} bytes"
    return None
