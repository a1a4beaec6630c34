"""The machine's figures: the arithmetic, a pretended root, and a real process in a real control group."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from itertools import count
from pathlib import Path

import psutil
import pytest

import telemetry.machine
from telemetry.cgroup import CpuLimit, MemoryLimit
from telemetry.machine import Machine, Meter, Reading, Sample, cpu_percent, cpu_sample, memory_bytes, ram_percent
from tests.needed import lacking

PROCESSORS = len(os.sched_getaffinity(0))


def test_without_a_quota_the_whole_machine_is_measured() -> None:
    before = cpu_sample([], processors=4, busy_s=100.0, at=10.0)
    after = cpu_sample([], processors=4, busy_s=101.0, at=10.5)

    assert after.cores == 4
    assert cpu_percent(before, after) == 50.0


def test_under_a_quota_its_own_figures_count_however_busy_the_host() -> None:
    before = cpu_sample([CpuLimit("box", 0.5, used_s=7.0)], processors=4, busy_s=100.0, at=10.0)
    after = cpu_sample([CpuLimit("box", 0.5, used_s=7.1)], processors=4, busy_s=104.0, at=11.0)

    assert after.cores == 0.5
    assert cpu_percent(before, after) == pytest.approx(20.0)


def test_of_nested_quotas_the_smallest_gives_the_cores_and_the_fullest_the_percentage() -> None:
    before = cpu_sample([CpuLimit("own", 1.0, 0.0), CpuLimit("shared", 2.0, 0.0)], processors=8, busy_s=0, at=0.0)
    after = cpu_sample([CpuLimit("own", 1.0, 0.1), CpuLimit("shared", 2.0, 1.8)], processors=8, busy_s=8, at=1.0)

    assert after.cores == 1.0
    assert cpu_percent(before, after) == pytest.approx(90.0)


def test_a_quota_over_what_the_machine_has_is_none() -> None:
    sample = cpu_sample([CpuLimit("box", 64.0, used_s=7.0)], processors=2, busy_s=5.0, at=0.0)

    assert sample == Sample(0.0, 2.0, {"machine": Meter(2.0, 5.0)})


def test_a_quota_whose_use_nobody_counts_still_gives_the_cores() -> None:
    sample = cpu_sample([CpuLimit("box", 0.5, used_s=None)], processors=2, busy_s=5.0, at=0.0)

    assert sample == Sample(0.0, 0.5, {"machine": Meter(2.0, 5.0)})


@pytest.mark.parametrize(("used_s", "percent"), [(9.0, 100.0), (-1.0, 0.0)])
def test_a_percentage_stays_between_0_and_100(used_s: float, percent: float) -> None:
    before, after = Sample(0.0, 1.0, {"box": Meter(1.0, 0.0)}), Sample(1.0, 1.0, {"box": Meter(1.0, used_s)})

    assert cpu_percent(before, after) == percent


def test_samples_of_two_different_groups_give_no_percentage() -> None:
    before, after = Sample(0.0, 1.0, {"old": Meter(1.0, 0.0)}), Sample(1.0, 1.0, {"new": Meter(1.0, 9.0)})

    assert cpu_percent(before, after) is None


def test_the_memory_to_share_out_is_the_tightest_limit_or_all_there_is() -> None:
    limits = [MemoryLimit("own", 500, 100), MemoryLimit("shared", 400, 100), MemoryLimit("unlimited", 1 << 62, 100)]

    assert memory_bytes(limits, 1000) == 400
    assert memory_bytes([], 1000) == 1000
    assert 0 < Machine().memory_bytes <= psutil.virtual_memory().total


@pytest.mark.parametrize(
    ("limits", "percent"),
    [
        ([], 12.0),
        ([MemoryLimit("box", 1000, 500)], 50.0),
        ([MemoryLimit("own", 500, 100), MemoryLimit("shared", 1000, 900)], 90.0),
        ([MemoryLimit("unlimited", 1 << 62, 500)], 12.0),
        ([MemoryLimit("overdrawn", 1000, 1001)], 100.0),
    ],
)
def test_memory_is_measured_against_the_limit_nearest_to_full(limits: list[MemoryLimit], percent: float) -> None:
    assert ram_percent(limits, total_bytes=1 << 40, machine_percent=12.0) == percent


class PretendedBox:
    """A root folder that shows a version 2 control group, and a clock, both set by hand."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.now = 0.0
        self._write("proc/self/cgroup", "0::/\n")
        self._write("proc/self/mountinfo", "30 23 0:26 / /sys/fs/cgroup rw - cgroup2 cgroup2 rw\n")
        self._write("sys/fs/cgroup/cpu.max", "25000 100000\n")
        self._write("sys/fs/cgroup/memory.max", "1000\n")
        self._write("sys/fs/cgroup/memory.current", "640\n")
        self.used(0.0)

    def used(self, seconds: float) -> None:
        self._write("sys/fs/cgroup/cpu.stat", f"usage_usec {round(seconds * 1e6)}\n")

    def move_to(self, group: str) -> None:
        self._write("proc/self/cgroup", f"0::/{group}\n")

    def _write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text)


def figures(reading: Reading | None) -> tuple[float, float, float]:
    assert reading is not None
    return reading.cpu_percent, reading.ram_percent, reading.cores


@pytest.fixture
def box(tmp_path: Path) -> PretendedBox:
    return PretendedBox(tmp_path)


def test_readings_follow_one_another(box: PretendedBox) -> None:
    machine = Machine(box.root, clock=lambda: box.now)

    assert machine.cores == 0.25
    assert machine.read() is None  # nothing to compare with yet

    box.now = 1.0
    box.used(0.2)
    first = machine.read()
    assert figures(first) == pytest.approx((80.0, 64.0, 0.25))

    box.now = 1.05  # too soon for another
    assert machine.read() is first

    box.now = 2.0
    assert figures(machine.read()) == pytest.approx((0.0, 64.0, 0.25))


def test_moved_to_another_group_it_measures_anew(box: PretendedBox) -> None:
    machine = Machine(box.root, clock=lambda: box.now)
    box.now = 1.0
    assert machine.read() is not None

    box.move_to("gone")  # its parent's quota and use still hold
    box.now = 2.0
    assert figures(machine.read()) == pytest.approx((0.0, 64.0, 0.25))

    (box.root / "sys/fs/cgroup/cpu.max").write_text("max 100000\n")
    box.now = 3.0
    assert machine.read() is None
    box.now = 4.0
    assert figures(machine.read())[2] == PROCESSORS


def test_without_any_groups_the_machine_itself_is_read(tmp_path: Path) -> None:
    seconds = count()
    reading = Machine(tmp_path, clock=lambda: float(next(seconds))).read()

    assert reading is not None
    assert reading.cores == PROCESSORS
    assert 0 <= reading.cpu_percent <= 100
    assert 0 < reading.ram_percent < 100


def test_a_system_that_pins_no_processes_offers_all_its_processors(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(os, "sched_getaffinity")

    assert list(telemetry.machine._usable_processors()) == list(range(os.cpu_count() or 1))


GROUPS = Path("/sys/fs/cgroup")
V1_LIMITS = {
    "cpuacct": {},
    "cpu": {"cpu.cfs_quota_us": "25000"},
    "memory": {"memory.limit_in_bytes": str(256 << 20)},
}
V2_LIMITS = {"": {"cpu.max": "25000 100000", "memory.max": str(256 << 20)}}

BUSY_CHILD = """
import dataclasses, json, sys, time
from telemetry.machine import Machine
sys.stdin.readline()  # by now we are in the group
machine, ballast = Machine(), bytearray(b"x" * (64 << 20))
while time.process_time() < 0.3:
    pass
print(json.dumps(dataclasses.asdict(machine.read())))
"""


@pytest.fixture
def limited_group() -> Iterator[list[Path]]:
    """A quarter of a processor and 256 MiB, and in it a group without limits: its folder in each hierarchy."""
    name = f"overspill-test-{os.getpid()}"
    controllers = V1_LIMITS if (GROUPS / "cpu").is_dir() else V2_LIMITS
    # cpuacct and cpu may be links to one hierarchy.
    tops = {(GROUPS / controller).resolve() / name: limits for controller, limits in controllers.items()}
    try:
        for top, limits in tops.items():
            (top / "inner").mkdir(parents=True, exist_ok=True)
            for file, text in limits.items():
                (top / file).write_text(text)
        yield [top / "inner" for top in tops]
    except OSError as error:
        lacking(f"control groups can't be made here ({error}): run as root, outside a read-only container")
    finally:
        for folder in [folder for top in tops for folder in (top / "inner", top) if folder.is_dir()]:
            folder.rmdir()


def test_a_process_in_a_real_group_reports_that_groups_figures(limited_group: list[Path]) -> None:
    command = [sys.executable, "-c", BUSY_CHILD]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
        for group in limited_group:
            (group / "cgroup.procs").write_text(str(child.pid))
        said, _ = child.communicate("go\n")

    reading = json.loads(said)
    assert reading["cores"] == 0.25
    assert reading["cpu_percent"] > 50  # it never rests; seen from the machine it is a fraction of that
    assert 25 < reading["ram_percent"] < 100  # 64 MiB and an interpreter, in 256
