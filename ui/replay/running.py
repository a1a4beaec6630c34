"""Playing a recording as it was and as it might have been, at the same time where that saves some."""

import gc
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from typing import Final

from producers.flight.outcomes import Day, Replayed
from producers.flight.player import as_recorded, play
from producers.flight.recording import Recording
from producers.flight.what_if import WhatIf

WORTH_A_PROCESS: Final = 10_000
"""Jobs from which a process of its own is sooner done than it takes to start it."""
_OBJECTS_A_SWEEP: Final = 100_000


def replay(recording: Recording, what_if: WhatIf) -> Replayed:
    """Play a recording. Raises NotPlayable when the recording, or what is asked of it, leaves nothing to be played."""
    was = as_recorded(recording)
    unchanged, *others = _all(recording, [WhatIf(), what_if] if what_if.changes else [WhatIf()])
    return Replayed(was, unchanged, others[0] if others else None)


def _all(recording: Recording, asked: Sequence[WhatIf]) -> list[Day]:
    if len(asked) == 1 or len(recording.jobs) < WORTH_A_PROCESS:
        return [play_alone(recording, each) for each in asked]
    with ProcessPoolExecutor(len(asked) - 1, mp_context=get_context("spawn")) as pool:
        others = [pool.submit(play_alone, recording, each) for each in asked[1:]]
        return [play_alone(recording, asked[0]), *(other.result() for other in others)]


def play_alone(recording: Recording, what_if: WhatIf) -> Day:
    """Play it in this process. Raises NotPlayable as `replay` does."""
    # A day is a million objects that stay: to look through them for cycles each time takes as long as a decision does.
    before = gc.get_threshold()
    gc.freeze()
    gc.set_threshold(_OBJECTS_A_SWEEP, *before[1:])
    try:
        return play(recording, what_if)
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()
