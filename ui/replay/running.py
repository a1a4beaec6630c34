"""Playing a recording as it was and as it might have been, at the same time where that saves some."""

import gc
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ProcessPoolExecutor, wait
from multiprocessing import get_context
from multiprocessing.sharedctypes import Synchronized
from typing import Final

from producers.flight.outcomes import Day, Replayed
from producers.flight.player import Watch, as_recorded, check, play
from producers.flight.recording import Recording
from producers.flight.what_if import WhatIf

WORTH_A_PROCESS: Final = 10_000
"""Jobs from which a process of its own is sooner done than it takes to start it."""
_OBJECTS_A_SWEEP: Final = 100_000
_LOOK_EVERY_S: Final = 0.2

Shown = Callable[[Sequence[float]], object]
"""Told how much is over, 0 to 1, of the day played unchanged, and of the other where there is one."""


def replay(recording: Recording, what_if: WhatIf, show: Shown = lambda _shares: None) -> Replayed:
    """Play a recording. Raises NotPlayable when the recording, or what is asked of it, leaves nothing to be played."""
    asked = [WhatIf(), what_if] if what_if.changes else [WhatIf()]
    for each in asked:
        check(recording, each)
    was = as_recorded(recording)
    unchanged, *others = _all(recording, asked, show)
    return Replayed(was, unchanged, others[0] if others else None)


def _all(recording: Recording, asked: Sequence[WhatIf], show: Shown) -> list[Day]:
    if len(asked) == 1 or len(recording.jobs) < WORTH_A_PROCESS:
        shares = [0.0] * len(asked)
        return [play_alone(recording, each, _into(shares, place, show)) for place, each in enumerate(asked)]
    context = get_context("spawn")
    there: Synchronized[float] = context.Value("d", 0.0)
    with ProcessPoolExecutor(1, mp_context=context, initializer=_begin, initargs=(there,)) as pool:
        other = pool.submit(_play_there, recording, asked[1])
        unchanged = play_alone(recording, asked[0], lambda share: show((share, there.value)))
        return [unchanged, _watched(other, lambda: show((1.0, there.value)))]


def _into(shares: list[float], place: int, show: Shown) -> Watch:
    def watch(share: float) -> None:
        shares[place] = share
        show(shares)

    return watch


def _watched(other: "Future[Day]", look: Callable[[], object]) -> Day:
    """What the other process comes to; `look` now and then, and at its end."""
    while wait({other}, timeout=_LOOK_EVERY_S).not_done:
        look()
    look()
    return other.result()


def play_alone(recording: Recording, what_if: WhatIf, watch: Watch = lambda _share: None) -> Day:
    """Play it in this process. Raises NotPlayable as `replay` does."""
    # A day is a million objects that stay: to look through them for cycles each time takes as long as a decision does.
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_SWEEP, *before[1:])
    try:
        return play(recording, what_if, watch)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


# -- in the other process


class _Other:
    share: "Synchronized[float] | None" = None
    """Where it tells how far it is; it can be handed over only as the process begins."""


def _begin(share: "Synchronized[float]") -> None:
    _Other.share = share


def _play_there(recording: Recording, what_if: WhatIf) -> Day:
    return play_alone(recording, what_if, _tell)


def _tell(share: float) -> None:
    if _Other.share is not None:
        _Other.share.value = share
