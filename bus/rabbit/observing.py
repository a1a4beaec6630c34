"""What connections tell of themselves to whoever measures this process."""


class Observer:
    """Hears of every connection of a process, on its loop. This one takes no notice."""

    def connected(self) -> None:
        """A session is open, declared and consuming."""

    def disconnected(self, *, lost: bool) -> None:
        """Such a session has ended; `lost` when we did not close it."""

    def blocked(self, *, now: bool) -> None:
        """The broker asks a connection to wait with its publishes, or (not `now`) lets it go on, or it has ended.

        Told of a connection in turns, the waiting first.
        """

    def confirmed(self, after_s: float, *, taken: bool) -> None:
        """The broker has answered a publish after so many seconds; `taken` unless it refused the message."""

    def buried(self) -> None:
        """A job lies in the queue `dead`."""


class _Observed:
    def __init__(self) -> None:
        self.by = Observer()


OBSERVED = _Observed()
"""Connections tell `OBSERVED.by`; who measures puts an observer of their own there, before the first connection."""
