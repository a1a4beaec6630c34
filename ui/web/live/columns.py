"""The last 15 minutes as columns of numbers, one row a second, in memory that does not grow. Pure."""

import math
from array import array
from collections.abc import Mapping
from typing import Final

ROWS: Final = 900
MOST_COLUMNS: Final = 4096
"""More are not kept: five of each VM, so those of some eight hundred VMs."""

Name = tuple[str, ...]
"""What a column is of, as a path: `("vms", "vm1", "cpu")`."""


class Columns:
    """A ring of rows, the newest being `newest` (seconds since the epoch). What was not written is not a number."""

    def __init__(self, rows: int = ROWS) -> None:
        self.rows = rows
        self.newest = 0
        self._columns: dict[Name, array[float]] = {}
        self._written: dict[Name, int] = {}
        """The newest second written of each column: one that has nothing left in it is dropped."""

    def __len__(self) -> int:
        """How many columns there are."""
        return len(self._columns)

    @property
    def oldest(self) -> int:
        """The second of the first row."""
        return self.newest - self.rows + 1

    def advance(self, second: int) -> None:
        """Begin the row of a second, and with it empty ones for those that were left out; an earlier one is there."""
        if second <= self.newest:
            return
        gone = [number % self.rows for number in range(max(self.newest + 1, second - self.rows + 1), second + 1)]
        self.newest = second
        for name in [name for name, written in self._written.items() if written < self.oldest]:
            del self._columns[name], self._written[name]
        for column in self._columns.values():
            for row in gone:
                column[row] = math.nan

    def write(self, second: int, values: Mapping[Name, float | None]) -> None:
        """Write into the row of a second; a row that is not there (any more) and what is not known are passed over."""
        if not self.oldest <= second <= self.newest:
            return
        for name, value in values.items():
            if value is not None and (column := self._column(name)) is not None:
                column[second % self.rows] = value
                self._written[name] = max(second, self._written[name])

    def _column(self, name: Name) -> "array[float] | None":
        column = self._columns.get(name)
        if column is None and len(self._columns) < MOST_COLUMNS:
            column = self._columns[name] = array("d", [math.nan]) * self.rows
            self._written[name] = 0
        return column

    def told(self) -> "dict[Name, array[float]]":
        """A copy of each column, from the oldest row to the newest; not a number where nothing was written."""
        first = self.oldest % self.rows
        return {name: column[first:] + column[:first] for name, column in self._columns.items()}
