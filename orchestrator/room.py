# SPDX-License-Identifier: Apache-2.0
"""Whether this computer has room for an enclave: memory that is free, descriptors that may be open."""

import resource
from collections.abc import Iterator
from pathlib import Path

from orchestrator.errors import EnvironmentFault
from orchestrator.ikc_layout import Layout, region_size
from orchestrator.plan import Plan
from orchestrator.qemu_command import VECTORS, shares_memory

MIB = 1 << 20
QEMU_OVERHEAD = (
    48 * MIB
)  # of one QEMU beside its guest's memory: heap, translated code (measured with 7.2, TCG)
# Of the supervisor for one partition: QMP, console, stderr, the fabric's connection, a viewer or two.
FILES_PER_PARTITION = 8
FILES_BESIDE = 64


def require_room(plan: Plan, layout: Layout) -> None:
    """Raises EnvironmentFault if this computer has not got the memory or the descriptors for an enclave."""
    # Hugepages are taken out of MemAvailable when they are made; placement.py counts those.
    small = [partition for partition in plan.partitions if not partition.place.hugepage_bytes]
    shared = sum(partition.memory_bytes for partition in small if shares_memory(partition))
    private = sum(partition.memory_bytes for partition in small if not shares_memory(partition))
    count = len(plan.partitions)
    require_memory(shared + region_size(layout, count), private, count)
    require_files(count, (count + 1) * VECTORS)


def require_memory(shared: int, private: int, qemus: int) -> None:
    """Raises EnvironmentFault unless there is room for that many bytes of guest memory in as many QEMUs."""
    needed = shared + private + qemus * QEMU_OVERHEAD
    available = available_memory()
    if needed > available:
        raise EnvironmentFault(
            f"the enclave needs {_mib(needed)} MiB of memory ({_mib(shared)} MiB of it shared), "
            f"{_mib(available)} MiB are available",
            "give the partitions less memory in the spec, end other enclaves (`enclave down`), "
            "or raise the memory limit of this container",
        )


def require_files(partitions: int, doorbells: int) -> None:
    """Raises the soft limit of open files to the hard one; EnvironmentFault if that does not suffice."""
    needed = FILES_BESIDE + doorbells + partitions * FILES_PER_PARTITION
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != hard:
        resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))
    if hard != resource.RLIM_INFINITY and needed > hard:
        raise EnvironmentFault(
            f"the enclave needs {needed} open files, the limit is {hard}",
            f"raise it: `ulimit -Hn {needed}` as root, or LimitNOFILE= of the service",
        )


def available_memory(proc: Path = Path("/proc"), cgroups: Path = Path("/sys/fs/cgroup")) -> int:
    """Bytes that can still be used: MemAvailable, or less if a control group limits us."""
    available = [_meminfo(proc)]
    for limit, usage, stat in _memory_groups(proc, cgroups):
        # What the group has cached of files goes away when it needs the room.
        cached = stat.get("total_inactive_file", stat.get("inactive_file", 0))
        available.append(max(0, limit - usage + cached))
    return min(available)


def _meminfo(proc: Path) -> int:
    for line in (proc / "meminfo").read_text().splitlines():
        if line.startswith("MemAvailable:"):
            return int(line.split()[1]) * 1024
    raise EnvironmentFault(f"{proc}/meminfo has no MemAvailable", "Linux 3.14 or newer is needed")


def _memory_groups(proc: Path, cgroups: Path) -> Iterator[tuple[int, int, dict[str, int]]]:
    """Limit, usage and statistics of each control group that we are in; both versions (cgroups(7))."""
    for line in (proc / "self" / "cgroup").read_text().splitlines():
        _, controllers, group = line.split(":", 2)
        if controllers == "":
            root, limit, usage = cgroups, "memory.max", "memory.current"
        elif "memory" in controllers.split(","):
            root, limit, usage = cgroups / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes"
        else:
            continue
        # Inside a container the path may be the outer one and not exist: its root is then ours.
        path = Path(group.lstrip("/"))
        for folder in (path, *path.parents):
            try:
                limit_text = (root / folder / limit).read_text().strip()
                usage_text = (root / folder / usage).read_text()
                stat_text = (root / folder / "memory.stat").read_text()
            except OSError:
                continue
            if limit_text != "max":
                yield int(limit_text), int(usage_text), _stat(stat_text)


def _stat(text: str) -> dict[str, int]:
    return {name: int(value) for name, value in (line.split() for line in text.splitlines())}


def _mib(size: int) -> int:
    return -(-size // MIB)
