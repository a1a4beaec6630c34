"""The last 15 minutes as they travel: columns as one JSON document, compressed. Pure, and slow enough for a thread."""

import gzip
import json
from array import array
from collections.abc import Mapping
from typing import Any, Final

from ui.web.live.columns import Name

PARTS: Final = ("vms", "placed", "queues", "total")
_LEVEL: Final = 4
"""Of gzip: more than that gains a few percent, and takes several times as long."""


def encoded(columns: "Mapping[Name, array[float]]", oldest: int, *, complete: bool) -> bytes:
    """A `History`: columns whose first row is the second `oldest`, as gzip-compressed JSON."""
    rows = max(map(len, columns.values()), default=0)
    head = {"from_ms": oldest * 1000, "step_ms": 1000, "rows": rows, "complete": complete}
    tree: dict[str, Any] = {name: json.dumps(value) for name, value in head.items()}
    tree |= {part: {} for part in PARTS}
    for name in sorted(columns):
        node = tree
        for step in name[:-1]:
            node = node.setdefault(step, {})
        node[name[-1]] = _column(columns[name])
    return gzip.compress(_written(tree).encode(), _LEVEL, mtime=0)


def _column(column: "array[float]") -> str:
    """One at a time: the JSON encoder lets nobody else run while it works, and all of them together take long."""
    return json.dumps([_plain(value) for value in column], separators=(",", ":"))


def _plain(value: float) -> float | int | None:
    if value != value:  # noqa: PLR0124 (not a number: nothing was written)
        return None
    return int(value) if value.is_integer() else value


def _written(tree: "dict[str, Any] | str") -> str:
    """A tree whose leaves are JSON already."""
    if isinstance(tree, str):
        return tree
    return "{" + ",".join(f"{json.dumps(name)}:{_written(node)}" for name, node in tree.items()) + "}"
