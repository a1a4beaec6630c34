"""What Linux control groups allow this process, and what they have used: version 2, version 1, or both at once.

Pure: files are read by the function passed in, which gives a file's text or None when there is none. Limits nest, so
every group from the process's own up to the top of what it can see is looked at.
"""

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import PurePosixPath

Read = Callable[[str], str | None]


@dataclass(frozen=True, slots=True)
class CpuLimit:
    """A group with a CPU quota.

    `cores` is the quota in processors, `used_s` the CPU-seconds all its processes have used so far, or None where the
    kernel doesn't count them (version 1 with no `cpuacct` group of the same name).
    """

    group: str
    cores: float
    used_s: float | None


@dataclass(frozen=True, slots=True)
class MemoryLimit:
    """A group with a memory limit.

    `used_bytes` leaves out file cache that the kernel gives up first, as Kubernetes does for its "working set".
    """

    group: str
    limit_bytes: int
    used_bytes: int


@dataclass(frozen=True, slots=True)
class _Mount:
    version: int
    controllers: frozenset[str]
    root: PurePosixPath
    point: PurePosixPath


def cpu_limits(read: Read) -> list[CpuLimit]:
    """The CPU quotas over this process, its own group's first."""
    place = _place(read, "cpu")
    if place is None:
        return []
    mount, path = place
    limit_of = _cpu_v2 if mount.version == 2 else _cpu_v1
    accounts = next((m for m in _mounts(read) if "cpuacct" in m.controllers), mount)
    found = (limit_of(read, mount.point / level, accounts.point / level) for level in _upwards(path))
    return [limit for limit in found if limit is not None]


def memory_limits(read: Read) -> list[MemoryLimit]:
    """The memory limits over this process, its own group's first."""
    place = _place(read, "memory")
    if place is None:
        return []
    mount, path = place
    limit_of = _memory_v2 if mount.version == 2 else _memory_v1
    found = (limit_of(read, mount.point / level) for level in _upwards(path))
    return [limit for limit in found if limit is not None]


def _cpu_v2(read: Read, group: PurePosixPath, account: PurePosixPath) -> CpuLimit | None:
    first, _, second = (read(f"{group}/cpu.max") or "").strip().partition(" ")
    quota, period = _number(first), _number(second)
    if not (quota and period):  # no quota is written as "max"
        return None
    used_us = _stat(read(f"{account}/cpu.stat"), "usage_usec")
    return CpuLimit(str(group), quota / period, None if used_us is None else used_us / 1e6)


def _cpu_v1(read: Read, group: PurePosixPath, account: PurePosixPath) -> CpuLimit | None:
    quota, period = _number(read(f"{group}/cpu.cfs_quota_us")), _number(read(f"{group}/cpu.cfs_period_us"))
    if not (quota and period):  # no quota is written as -1, which `_number` takes for none
        return None
    used_ns = _number(read(f"{account}/cpuacct.usage"))
    return CpuLimit(str(group), quota / period, None if used_ns is None else used_ns / 1e9)


def _memory_v2(read: Read, group: PurePosixPath) -> MemoryLimit | None:
    limit, used = _number(read(f"{group}/memory.max")), _number(read(f"{group}/memory.current"))
    return _memory(group, limit, used, _stat(read(f"{group}/memory.stat"), "inactive_file"))


def _memory_v1(read: Read, group: PurePosixPath) -> MemoryLimit | None:
    limit, used = _number(read(f"{group}/memory.limit_in_bytes")), _number(read(f"{group}/memory.usage_in_bytes"))
    return _memory(group, limit, used, _stat(read(f"{group}/memory.stat"), "total_inactive_file"))


def _memory(group: PurePosixPath, limit: int | None, used: int | None, cache: int | None) -> MemoryLimit | None:
    if not limit or used is None:
        return None
    return MemoryLimit(str(group), limit, max(0, used - (cache or 0)))


def _place(read: Read, controller: str) -> tuple[_Mount, PurePosixPath] | None:
    """The hierarchy that rules `controller`, and the process's group in it, relative to where it is mounted."""
    member_of = _memberships(read)
    name = controller if controller in member_of else ""
    mount = next((m for m in _mounts(read) if (name in m.controllers if name else m.version == 2)), None)
    if mount is None or name not in member_of:
        return None
    path = PurePosixPath(member_of[name])
    # A container may see its own group mounted as the top, or a path from outside its namespace: both are the top.
    inside = path.is_relative_to(mount.root) and ".." not in path.parts
    return mount, path.relative_to(mount.root) if inside else PurePosixPath()


def _upwards(path: PurePosixPath) -> Iterator[PurePosixPath]:
    yield path
    yield from path.parents


def _memberships(read: Read) -> dict[str, str]:
    """Controller -> the process's group, from `/proc/self/cgroup`; version 2's entry has the empty name."""
    fields = (line.split(":", 2) for line in (read("/proc/self/cgroup") or "").splitlines())
    return {name: path for _, names, path in fields for name in names.split(",")}


def _mounts(read: Read) -> list[_Mount]:
    """The control group hierarchies in `/proc/self/mountinfo` (proc_pid_mountinfo(5))."""
    found = (_mount(line) for line in (read("/proc/self/mountinfo") or "").splitlines())
    return [mount for mount in found if mount is not None]


def _mount(line: str) -> _Mount | None:
    where, _, what = line.partition(" - ")
    kind, _, options = what.partition(" ")
    if kind not in {"cgroup", "cgroup2"}:
        return None
    _, _, _, root, point, *_ = (_unescaped(field) for field in where.split())
    version = 2 if kind == "cgroup2" else 1
    controllers = frozenset(options.split()[-1].split(",")) if version == 1 else frozenset[str]()
    return _Mount(version, controllers, PurePosixPath(root), PurePosixPath(point))


def _unescaped(field: str) -> str:
    return re.sub(r"\\([0-7]{3})", lambda octal: chr(int(octal[1], 8)), field)


def _number(text: str | None) -> int | None:
    text = (text or "").strip()
    return int(text) if text.isdecimal() else None


def _stat(text: str | None, key: str) -> int | None:
    """The value of `key` in a file of `key value` lines."""
    pairs = (line.partition(" ") for line in (text or "").splitlines())
    return next((_number(value) for name, _, value in pairs if name == key), None)
