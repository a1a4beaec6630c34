"""What a browser makes of merge patches."""

from typing import Any


def merged(old: dict[str, Any], patch: dict[str, Any]) -> dict[str, Any]:
    """What a patch (RFC 7396) makes of a document; neither is changed."""
    result = {name: value for name, value in old.items() if name not in patch}
    for name, value in patch.items():
        if isinstance(value, dict):
            before = old.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        elif value is not None:
            result[name] = value
    return result
