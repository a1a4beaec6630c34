"""Control groups, from the files a kernel would show."""

from collections.abc import Mapping

import pytest

from telemetry.cgroup import CpuLimit, MemoryLimit, cpu_limits, memory_limits

V2 = "30 23 0:26 / /sys/fs/cgroup rw,nosuid - cgroup2 cgroup2 rw,nsdelegate\n"
V1 = """\
25 19 8:1 / / rw - ext4 /dev/sda1 rw
32 31 0:29 / /sys/fs/cgroup/cpu,cpuacct rw shared:9 - cgroup cgroup rw,cpu,cpuacct
35 31 0:32 / /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory
41 31 0:38 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw
"""
MIB = 1 << 20


def kernel(cgroup: str, mountinfo: str, files: Mapping[str, str]) -> dict[str, str]:
    shown = {"/proc/self/cgroup": cgroup, "/proc/self/mountinfo": mountinfo}
    return shown | {f"/sys/fs/cgroup{path}": text + "\n" for path, text in files.items()}


def test_a_container_sees_its_own_version_2_group_as_the_top() -> None:
    files = kernel(
        "0::/\n",
        V2,
        {
            "/cpu.max": "150000 100000",
            "/cpu.stat": "usage_usec 2500000\nuser_usec 1\nthrottled_usec 9",
            "/memory.max": str(512 * MIB),
            "/memory.current": str(300 * MIB),
            "/memory.stat": f"anon 1\ninactive_file {100 * MIB}\nactive_file 7",
        },
    )

    assert cpu_limits(files.get) == [CpuLimit("/sys/fs/cgroup", cores=1.5, used_s=2.5)]
    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup", 512 * MIB, used_bytes=200 * MIB)]


def test_every_version_2_group_on_the_way_up_that_has_a_limit_counts() -> None:
    files = kernel(
        "0::/vms.slice/vm1.service/worker\n",
        V2,
        {
            "/vms.slice/vm1.service/worker/cpu.max": "max 100000",
            "/vms.slice/vm1.service/cpu.max": "200000 100000",
            "/vms.slice/vm1.service/cpu.stat": "usage_usec 1000000",
            "/vms.slice/cpu.max": "50000 100000",
            "/vms.slice/cpu.stat": "usage_usec 4000000",
            "/vms.slice/vm1.service/worker/memory.max": "max",
            "/vms.slice/vm1.service/worker/memory.current": "5",
            "/vms.slice/memory.max": "1000",
            "/vms.slice/memory.current": "400",
        },
    )

    assert cpu_limits(files.get) == [
        CpuLimit("/sys/fs/cgroup/vms.slice/vm1.service", cores=2.0, used_s=1.0),
        CpuLimit("/sys/fs/cgroup/vms.slice", cores=0.5, used_s=4.0),
    ]
    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup/vms.slice", 1000, 400)]


def test_version_1_beside_an_empty_version_2_hierarchy() -> None:
    files = kernel(
        "5:memory:/box\n4:cpu,cpuacct:/box\n1:name=systemd:/\n0::/\n",
        V1,
        {
            "/cpu,cpuacct/box/cpu.cfs_quota_us": "50000",
            "/cpu,cpuacct/box/cpu.cfs_period_us": "100000",
            "/cpu,cpuacct/box/cpuacct.usage": "7000000000",
            "/cpu,cpuacct/cpu.cfs_quota_us": "-1",
            "/cpu,cpuacct/cpu.cfs_period_us": "100000",
            "/memory/box/memory.limit_in_bytes": "1000",
            "/memory/box/memory.usage_in_bytes": "900",
            "/memory/box/memory.stat": "inactive_file 1\ntotal_inactive_file 300",
        },
    )

    assert cpu_limits(files.get) == [CpuLimit("/sys/fs/cgroup/cpu,cpuacct/box", cores=0.5, used_s=7.0)]
    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup/memory/box", 1000, used_bytes=600)]


def test_cpu_use_lies_in_a_hierarchy_of_its_own_on_some_version_1_machines() -> None:
    mounts = (
        "32 31 0:29 / /sys/fs/cgroup/cpu rw - cgroup cgroup rw,cpu\n"
        "33 31 0:30 / /sys/fs/cgroup/cpuacct rw - cgroup cgroup rw,cpuacct\n"
    )
    quota = {"/cpu/box/cpu.cfs_quota_us": "50000", "/cpu/box/cpu.cfs_period_us": "100000"}
    member = "2:cpuacct:/box\n1:cpu:/box\n"
    counted = kernel(member, mounts, quota | {"/cpuacct/box/cpuacct.usage": "3000000000"})
    uncounted = kernel(member, mounts, quota)

    assert cpu_limits(counted.get) == [CpuLimit("/sys/fs/cgroup/cpu/box", cores=0.5, used_s=3.0)]
    assert cpu_limits(uncounted.get) == [CpuLimit("/sys/fs/cgroup/cpu/box", cores=0.5, used_s=None)]


@pytest.mark.parametrize("own_path", ["/docker/abc/inner", "/docker/abc"])
def test_a_container_with_its_group_mounted_as_the_top(own_path: str) -> None:
    mounts = "35 31 0:32 /docker/abc /sys/fs/cgroup/memory ro - cgroup cgroup rw,memory\n"
    limit = {"/memory/memory.limit_in_bytes": "1000", "/memory/memory.usage_in_bytes": "10"}
    files = kernel(f"4:memory:{own_path}\n", mounts, limit)

    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup/memory", 1000, 10)]


@pytest.mark.parametrize("outside", ["/../../other", "/docker/of-the-host"])
def test_a_path_from_outside_our_namespace_is_the_top_of_what_we_see(outside: str) -> None:
    mounts = V2.replace(" / /sys", " /docker/abc /sys")
    files = kernel(f"0::{outside}\n", mounts, {"/memory.max": "1000", "/memory.current": "10"})

    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup", 1000, 10)]


def test_a_mount_point_with_a_space() -> None:
    files = {
        "/proc/self/cgroup": "0::/\n",
        "/proc/self/mountinfo": "30 23 0:26 / /my\\040groups rw - cgroup2 none rw\n",
        "/my groups/cpu.max": "100000 100000\n",
    }

    assert cpu_limits(files.get) == [CpuLimit("/my groups", cores=1.0, used_s=None)]


@pytest.mark.parametrize(
    ("cgroup", "mountinfo"),
    [
        pytest.param("", "", id="a system without control groups"),
        pytest.param("0::/\n", "", id="none mounted"),
        pytest.param("", V2, id="a member of none"),
        pytest.param("0::/\n", V2, id="no limit set"),
    ],
)
def test_no_limits(cgroup: str, mountinfo: str) -> None:
    files = kernel(cgroup, mountinfo, {})

    assert cpu_limits(files.get) == []
    assert memory_limits(files.get) == []


@pytest.mark.parametrize("text", ["", "max", "nonsense", "100000", "100000 0", "-1 100000"])
def test_what_is_no_quota_limits_nothing(text: str) -> None:
    files = kernel("0::/\n", V2, {"/cpu.max": text})

    assert cpu_limits(files.get) == []


def test_a_cache_larger_than_the_use_counts_as_all_of_it() -> None:
    files = kernel("0::/\n", V2, {"/memory.max": "1000", "/memory.current": "10", "/memory.stat": "inactive_file 20"})

    assert memory_limits(files.get) == [MemoryLimit("/sys/fs/cgroup", 1000, used_bytes=0)]
