"""Heartbeats thinned to a reading a second of each VM, and to what it can do when that changes. Pure."""

from collections import OrderedDict
from dataclasses import dataclass, field
from typing import Final

from bus.events import Heartbeat
from producers.flight.recording import NO_READING, SECONDS_A_LINE, RecordedLoad, RecordedVm

_SILENT_MS: Final = 2 * SECONDS_A_LINE * 1000
"""After this long nothing more comes for a line that was begun."""
MOST_VMS: Final = 4_000
"""Names remembered, since anybody may make them up; of more, the ones not heard of for longest are forgotten."""


@dataclass(slots=True)
class _Minute:
    began_s: int
    cpu: list[int] = field(default_factory=list)
    ram: list[int] = field(default_factory=list)
    running: list[int] = field(default_factory=list)

    def fits(self, second: int) -> bool:
        return 0 <= second - self.began_s < SECONDS_A_LINE

    def set(self, second: int, beat: Heartbeat) -> None:
        at = second - self.began_s
        for column in (self.cpu, self.ram, self.running):
            column.extend([NO_READING] * (at + 1 - len(column)))
        self.cpu[at], self.ram[at], self.running[at] = round(beat.cpu_percent), round(beat.ram_percent), beat.running

    def line(self, vm: str) -> RecordedLoad:
        return RecordedLoad(vm, self.began_s * 1000, tuple(self.cpu), tuple(self.ram), tuple(self.running))


class Readings:
    """The lines that heartbeats make."""

    def __init__(self) -> None:
        self._minutes: dict[str, _Minute] = {}
        self._known: OrderedDict[str, tuple[str, RecordedVm]] = OrderedDict()
        self._looked_ms = 0

    def hear(self, beat: Heartbeat) -> list[RecordedVm | RecordedLoad]:
        """A beat; of several in a second the last counts. Returns the lines that it ends or brings."""
        lines: list[RecordedVm | RecordedLoad] = [*self._joined(beat)]
        second, minute = beat.at_ms // 1000, self._minutes.get(beat.vm)
        if minute is not None and not minute.fits(second):
            lines.append(minute.line(beat.vm))
            minute = None
        if minute is None:
            minute = self._minutes[beat.vm] = _Minute(second)
        minute.set(second, beat)
        return [*lines, *self._forgotten()]

    def _forgotten(self) -> list[RecordedLoad]:
        if len(self._known) <= MOST_VMS:
            return []
        vm, _ = self._known.popitem(last=False)
        minute = self._minutes.pop(vm, None)
        return [minute.line(vm)] if minute is not None else []

    def _joined(self, beat: Heartbeat) -> list[RecordedVm]:
        vm = RecordedVm(beat.vm, 0, beat.slots, beat.look_ahead, beat.cores, beat.operations)
        known, self._known[beat.vm] = self._known.get(beat.vm), (beat.session, vm)
        self._known.move_to_end(beat.vm)
        if known == (beat.session, vm):
            return []
        return [RecordedVm(beat.vm, beat.at_ms, beat.slots, beat.look_ahead, beat.cores, beat.operations)]

    def silent(self, now_ms: int) -> list[RecordedLoad]:
        """The lines of VMs that are heard of no more."""
        if now_ms - self._looked_ms < _SILENT_MS // 2:
            return []  # not at each call: there may be many VMs
        self._looked_ms = now_ms
        over = [vm for vm, minute in self._minutes.items() if minute.began_s * 1000 <= now_ms - _SILENT_MS]
        return [self._minutes.pop(vm).line(vm) for vm in over]

    def rest(self) -> list[RecordedLoad]:
        """The lines that are not at their end yet."""
        lines = [minute.line(vm) for vm, minute in self._minutes.items()]
        self._minutes.clear()
        return lines
