"""The history as it travels."""

import gzip
import json
import math
from array import array

from ui.web.live.columns import Columns
from ui.web.live.history import encoded
from ui.web.live.sample import History


def test_columns_become_a_history() -> None:
    columns = Columns(3)
    columns.advance(1000)
    figures = {"cpu": 12.5, "load": 10.0, "ram": 50.0, "running": 1.0, "held": 2.0}
    columns.write(1000, {("vms", "vm1", figure): value for figure, value in figures.items()})
    columns.write(999, {("total", "done"): 3.0, ("placed", "cloud"): 1.0, ("queues", "lanes"): 0.0})
    told = json.loads(gzip.decompress(encoded(columns.told(), columns.oldest, complete=True)))
    assert (told["from_ms"], told["step_ms"], told["rows"], told["complete"]) == (998_000, 1000, 3, True)
    assert told["vms"] == {"vm1": {name: [None, None, value] for name, value in figures.items()}}
    assert told["total"]["done"] == [None, 3, None]
    assert History.model_validate(told).placed == {"cloud": (None, 1, None)}


def test_nothing_was_heard_yet() -> None:
    told = json.loads(gzip.decompress(encoded({}, 7, complete=False)))
    assert told == {
        "from_ms": 7000, "step_ms": 1000, "rows": 0, "complete": False,
        "vms": {}, "placed": {}, "queues": {}, "total": {},
    }  # fmt: skip


def test_names_that_others_chose_can_not_break_it() -> None:
    name = 'a"b\\\n</script>'
    told = json.loads(gzip.decompress(encoded({("placed", name): array("d", [math.nan])}, 7, complete=True)))
    assert told["placed"] == {name: [None]}
