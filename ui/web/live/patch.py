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
