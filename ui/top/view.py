"""A frame as the lines of a terminal of any size, and as JSON. Pure."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any, Final

from rich.text import Text

from bus.events import JobEvent, VmEvent
from bus.prices import dollars
from bus.topology import LANES, lane
from telemetry.vm_view import VmView
from ui.commands import fleet_view
from ui.commands.why_view import COLOURS, words
from ui.commands.wording import printable
from ui.fleet.look import NO_ACTIVE, NO_ROUTER, NO_VM, counts, reasons
from ui.top.bars import BLOCKS, Glyphs, bar, brief, clock, per_second, percent_of
from ui.top.model import Frame
from ui.top.parts import Part, column, fit, lines_of, shares
from ui.top.rates import Rate

_STATES: Final = {"ready": "green", "busy": "cyan", "lost": "red", "quarantined": "magenta"}
_BAR: Final = 10
_KEYS: Final = "q quit  p pause  s sort  j/k scroll   vm drain NAME, pause OPERATION, why JOB are commands of overspill"
_EVENTS_AT_ONCE: Final = 5
_REASONS_AT_ONCE: Final = 3
_LANES_AT_ONCE: Final = 3
_SILENCE: Final = (NO_ACTIVE, NO_ROUTER, NO_VM)


def as_json(frame: Frame) -> dict[str, Any]:
    """The frame for programs."""
    return {
        "at_ms": frame.at_ms,
        "broker": frame.address,
        **fleet_view.as_json(frame.look),
        "rates": [asdict(rate) for rate in frame.rates],
        "latest": [event.model_dump(mode="json", exclude_none=True) for event in frame.latest],
    }


def render(frame: Frame, width: int, height: int, glyphs: Glyphs = BLOCKS, *, keys: bool = True) -> Text:
    """The frame in `width` cells by `height` lines at the most; the last tells the keys, where there are any."""
    head, body = _head(frame), _body(frame, width, glyphs)
    parts = [head, _FOOTER, *body] if keys else [head, *body]
    made = [part.make(count) for part, count in zip(parts, shares(parts, height), strict=True)]
    if keys:
        made.append(made.pop(1))
    lines = [fit(line, width, glyphs.dots) for part in made for line in part]
    whole = Text("\n", no_wrap=True, overflow="crop", end="").join(lines)
    return _greyed(whole, len(lines[0])) if frame.broken_s is not None else whole


def _greyed(whole: Text, head: int) -> Text:
    """Old figures, under a first line that says so."""
    grey = Text(whole.plain, "dim", no_wrap=True, overflow="crop", end="")
    grey.stylize("not dim bold red", 0, head)
    return grey


def _body(frame: Frame, width: int, glyphs: Glyphs) -> list[Part]:
    """The parts below the header, in the order in which they are shown and matter."""
    return [
        _vms(frame, width, glyphs),
        _queues(frame),
        _rates(frame, width, glyphs),
        _reasons(frame),
        _events(frame),
    ]


# -- who routes, and where the rest goes


def _head(frame: Frame) -> Part:
    first = Text(f"{clock(frame.at_ms)} UTC  {frame.address}", "bold")
    if frame.broken_s is not None:
        first = Text(f"NO CONNECTION to {frame.address} for {brief(frame.broken_s)}; trying again. Old figures:")
    elif frame.paused:
        first = Text(f"PAUSED at {clock(frame.at_ms)} UTC; p goes on", "bold reverse")
    return Part(3, lines_of([first, _router(frame), _cloud(frame)]), least=3)


def _router(frame: Frame) -> Text:
    look, active = frame.look, frame.look.active
    standby = [router.router for router in look.routers if not router.active]
    others = f"; standing by: {', '.join(standby)}" if standby else ""
    if active is None and frame.early:
        return Text(printable(f"Router  listening for one{others}"))
    if active is None:
        return Text(printable(f"Router  none is active{others}"), "red")
    told = f"Router  {active.policy}, {active.router}, {active.routed} placed, {active.queued} in its window{others}"
    return Text(printable(told))


def _cloud(frame: Frame) -> Text:
    bridge, active = frame.look.bridge, frame.look.active
    if bridge is None:
        unheard = "listening for a bridge" if frame.early else "no bridge is heard"
        return Text(printable(f"Cloud   {active.cloud if active else unheard}"))
    capacity = f"/{bridge.capacity}" if bridge.capacity else ""
    cap = "" if bridge.money_per_day is None else f" of {dollars(bridge.money_per_day)}"
    why = f" ({bridge.reason})" if bridge.reason else ""
    spent = f"{dollars(bridge.spent_today)}{cap} in 24 h"
    told = f"Cloud   {bridge.state}{why}, {bridge.in_flight}{capacity} there, {bridge.sent_last_minute}/min, {spent}"
    return Text(printable(told), "" if bridge.state == "ready" else "yellow")


# -- the VMs


def _vms(frame: Frame, width: int, glyphs: Glyphs) -> Part:
    vms = frame.vms

    def make(count: int) -> list[Text]:
        if not vms:
            return [Text("VMs     listening for them") if frame.early else Text("VMs     none is heard", "red")][:count]
        if count < 2:
            return [_summary("VMs", vms)][:count]
        fits = len(vms) <= count - 1
        room = count - 1 if fits else count - 2
        skip = max(0, min(frame.skip, len(vms) - room))
        shown = vms[skip : skip + room]
        rest = [vm for vm in vms if vm not in shown]
        more = [] if fits else [_summary("and", rest)]
        return [_vm_head(frame, width, glyphs), *(_vm_row(vm, frame, width, glyphs) for vm in shown), *more]

    return Part(len(vms) + 1 if vms else 1, make, least=4, want=12)


def _summary(word: str, vms: Sequence[VmView]) -> Text:
    states = Counter(vm.state for vm in vms).most_common()
    return Text(f"{word} {len(vms)} more: " if word == "and" else f"{word}     ").append(
        ", ".join(f"{count} {state}" for state, count in states)
    )


def _vm_head(frame: Frame, width: int, glyphs: Glyphs) -> Text:
    names: tuple[Text | str, ...] = (
        f"VM by {frame.sort}", "state", "CPU", "RAM", "run", "held", "oldest", "beat", "operations",
    )  # fmt: skip
    line = column(_vm_cells(names, width), glyphs.dots)
    line.stylize("bold")
    return line


def _vm_row(vm: VmView, frame: Frame, width: int, glyphs: Glyphs) -> Text:
    limits = frame.limits
    state = "drained" if vm.drained and vm.state == "draining" else vm.state
    more = vm.reason if vm.reason and not vm.takes_jobs else ", ".join(vm.operations) or "none"
    cells: tuple[Text | str, ...] = (
        vm.name,
        Text(state, _STATES.get(vm.state, "yellow")),
        _load(vm.cpu_percent, limits.cpu, glyphs, with_bar=width >= _CPU_BAR_FROM),
        _load(vm.ram_percent, limits.ram, glyphs, with_bar=width >= _RAM_BAR_FROM),
        f"{min(len(vm.held), vm.slots)}/{vm.slots}",
        f"{len(vm.held)}/{vm.slots + vm.look_ahead}",
        brief(vm.oldest_running_s),
        brief(vm.age_s(frame.look.now)),
        printable(more),
    )
    line = column(_vm_cells(cells, width), glyphs.dots)
    if vm.state == "lost":
        line.stylize("dim")
    return line


def _load(percent: float, mark: float, glyphs: Glyphs, *, with_bar: bool) -> Text:
    text = percent_of(percent, mark)
    return bar(percent, mark, _BAR, glyphs).append_text(text) if with_bar else text


_CPU_BAR_FROM: Final = 72
_RAM_BAR_FROM: Final = 100


def _vm_cells(cells: Sequence[Text | str], width: int) -> list[tuple[Text | str, int]]:
    """The cells that there is room for, each with its width; those below 0 are to the right."""
    with_bar = _BAR + 5
    cpu, ram = (-with_bar if width >= bound else -5 for bound in (_CPU_BAR_FROM, _RAM_BAR_FROM))
    from_widths = (0, 0, 0, 50, 0, 84, 90, 58, 100)
    widths = (14, 11, cpu, ram, -5, -5, -6, -6, max(1, width - 85))
    return [(cell, own) for cell, own, least in zip(cells, widths, from_widths, strict=True) if width >= least]


# -- the queues


def _queues(frame: Frame) -> Part:
    found = counts(frame.look)
    parked = sum(count for name, count in found.items() if name.startswith("parked."))
    line = Text(f"Waiting lanes {found['lanes']}  overflow {found['overflow']}  ")
    line.append(f"dead {found['dead']}", "red" if found["dead"] else "")
    line.append(f"  parked {parked}  unanswered {found['unanswered']}")
    if not frame.look.depths:
        line = Text("Waiting not counted yet")
    line.append(_fullest(frame.look.depths))
    active = frame.look.active
    users = [f"{user.user} {user.queued} ({brief(user.seconds)})" for user in active.users] if active else []
    lines = [line, *([Text(printable(f"In line {', '.join(users)}"))] if users else [])]
    return Part(len(lines), lines_of(lines))


def _fullest(depths: Mapping[str, int | None]) -> str:
    """The lanes with most jobs in them: one long one is a user's or a few, many are everybody's."""
    counted = [(depths.get(lane(number)) or 0, f"{number:02}") for number in range(LANES)]
    longest = sorted((each for each in counted if each[0]), key=lambda each: (-each[0], each[1]))[:_LANES_AT_ONCE]
    return f"  longest {', '.join(f'{name}: {count}' for count, name in longest)}" if longest else ""


# -- the rates


def _rates(frame: Frame, width: int, glyphs: Glyphs) -> Part:
    def make(count: int) -> list[Text]:
        if count < 3:
            return [_in_one_line(frame.rates[0])][:count]
        return [_rate_head(width, glyphs), *(_rate_row(rate, width, glyphs) for rate in frame.rates[: count - 1])]

    return Part(len(frame.rates) + 1 if len(frame.rates) > 1 else 1, make, want=8)


def _in_one_line(rate: Rate) -> Text:
    took = "" if rate.took_s is None else f", p95 {brief(rate.took_s[1])}"
    failed = f", {rate.failed} failed" if rate.failed else ""
    return Text(f"Jobs/s  {per_second(rate.taken[0])} in, {per_second(rate.ended[0])} out{took}{failed}")


def _rate_head(width: int, glyphs: Glyphs) -> Text:
    names = (
        "jobs/s", "place", "in 10s", "1min", "out10s", "1min", "failed", "p50", "p95", "q p50", "q p95",
    )  # fmt: skip
    line = column(_rate_cells(names, width), glyphs.dots)
    line.stylize("bold")
    return line


def _rate_row(rate: Rate, width: int, glyphs: Glyphs) -> Text:
    took, waited = (map(brief, times or (None, None)) for times in (rate.took_s, rate.waited_s))
    figures = [*rate.taken, *rate.ended]
    failed = Text(str(rate.failed), "red" if rate.failed else "")
    cells: tuple[Text | str, ...] = (
        printable(rate.operation),
        rate.place,
        *map(per_second, figures),
        failed,
        *took,
        *waited,
    )
    return column(_rate_cells(cells, width), glyphs.dots)


def _rate_cells(cells: Sequence[Text | str], width: int) -> list[tuple[Text | str, int]]:
    from_widths = (0, 50, 0, 92, 0, 92, 58, 72, 0, 80, 62)
    widths = (18 if width >= 58 else 12, 6, *[-6] * 9)
    return [(cell, own) for cell, own, least in zip(cells, widths, from_widths, strict=True) if width >= least]


# -- why, what just happened, and what can be done


def _reasons(frame: Frame) -> Part:
    said = [why for why in reasons(frame.look) if not (frame.early and why in _SILENCE)]
    lines = [Text(printable(f"! {reason}"), "yellow") for reason in said]
    return Part(len(lines), lines_of(lines), want=_REASONS_AT_ONCE)


def _events(frame: Frame) -> Part:
    latest = frame.latest

    def make(count: int) -> list[Text]:
        return [_event(event) for event in latest[-count:]] if count else []

    return Part(len(latest), make, least=2, want=_EVENTS_AT_ONCE)


def _event(event: JobEvent | VmEvent) -> Text:
    line = Text(f"{clock(event.at_ms)} ", "dim")
    if isinstance(event, VmEvent):
        line.append(f"{event.state:<9}", _STATES.get(event.state, "yellow"))
        return line.append(printable(f" {event.vm}{f': {event.reason}' if event.reason else ''}"))
    line.append(f"{event.state:<9}", COLOURS.get(event.state, "cyan"))
    told = ", ".join(words(event))
    return line.append(printable(f" {event.operation} {event.job[:12]} of {event.user}{f' {told}' if told else ''}"))


_FOOTER: Final = Part(1, lines_of([Text(_KEYS, "dim")]))
