"""What has changed from one JSON document to the next, as a merge patch (RFC 7396). Pure.

Documents hold no null: in a patch it takes a member away.
"""

from typing import Any

Document = dict[str, Any]


def difference(old: Document, new: Document) -> Document:
    """The patch that makes `new` of `old`: what is absent from it has not changed."""
    patch: Document = {name: None for name in old if name not in new}
    for name, value in new.items():
        if name not in old:
            patch[name] = value
        elif old[name] != value:
            both = isinstance(old[name], dict) and isinstance(value, dict)
            patch[name] = difference(old[name], value) if both else value
    return patch


def merged(old: Document, patch: Document) -> Document:
    """What a patch makes of a document; neither is changed."""
    result = dict(old)
    for name, value in patch.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            before = result.get(name)
            result[name] = merged(before if isinstance(before, dict) else {}, value)
        else:
            result[name] = value
    return result
