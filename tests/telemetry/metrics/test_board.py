from prometheus_client import generate_latest

from telemetry.metrics import families as f
from telemetry.metrics.board import Board
from tests.telemetry.metrics.pages import values


def told(board: Board) -> dict[str, float]:
    return values(generate_latest(board.registry).decode())


def test_counts_gauges_and_histograms_are_told() -> None:
    board = Board("vm")
    board.add(f.JOBS, "done", "sketch", "vm")
    board.add(f.JOBS, "done", "sketch", "vm", amount=2)
    board.set(f.VM_SLOTS, "vm1", value=4)
    board.observe(f.BUS_CONFIRM, value=0.02)
    page = told(board)
    assert page['overspill_jobs_total{operation="sketch",place="vm",state="done"}'] == 3
    assert page['overspill_vm_slots{vm="vm1"}'] == 4
    assert page['overspill_bus_confirm_seconds_bucket{le="0.01"}'] == 0
    assert page['overspill_bus_confirm_seconds_bucket{le="0.025"}'] == page["overspill_bus_confirm_seconds_count"] == 1


def test_what_another_program_tells_goes_nowhere() -> None:
    board = Board("agent")
    board.add(f.JOBS, "done", "sketch", "vm")
    board.set(f.ROUTER_ACTIVE, value=1)
    board.observe(f.JOB_RUN, "sketch", "vm", value=1)
    board.keep(f.VMS, {("ready",): 1})
    board.ask(f.PAGE_JOBS, dict)
    assert not {
        name for name in told(board) if name.startswith(("overspill_jobs", "overspill_router", "overspill_page"))
    }


def test_series_that_are_no_longer_wanted_go_and_may_come_back() -> None:
    board = Board("router")
    board.keep(f.VMS, {("ready",): 2, ("lost",): 1})
    board.keep(f.VMS, {("lost",): 3})
    assert {name: value for name, value in told(board).items() if "vms" in name} == {'overspill_vms{state="lost"}': 3}
    board.keep(f.VMS, {("ready",): 1})
    assert {name: value for name, value in told(board).items() if "vms" in name} == {'overspill_vms{state="ready"}': 1}


def test_a_gauge_may_be_asked_for_when_it_is_scraped() -> None:
    board = Board("page")
    jobs: dict[tuple[str, ...], float] = {("queued",): 1}
    board.ask(f.PAGE_JOBS, lambda: jobs)
    assert told(board)['overspill_page_jobs{state="queued"}'] == 1
    jobs["queued",] = 5
    assert told(board)['overspill_page_jobs{state="queued"}'] == 5
