# SPDX-License-Identifier: Apache-2.0
"""What this computer's kernel says of a QEMU and its threads: proc(5)."""

import os
from pathlib import Path
from typing import NamedTuple

PROC = Path("/proc")
_TICKS = os.sysconf("SC_CLK_TCK")
_PAGE_BYTES = os.sysconf("SC_PAGESIZE")


class ThreadTimes(NamedTuple):
    """Seconds since it began: on a processor, and ready but kept waiting. `processor` is the last one."""

    ran_s: float
    waited_s: float
    runnable: bool
    processor: int


class ProcessUse(NamedTuple):
    """`ran_s` is of all its threads, those that ended too."""

    ran_s: float
    resident_bytes: int


def thread_times(pid: int, thread: int, proc: Path = PROC) -> ThreadTimes | None:
    """None if there is no such thread, or it is not ours to look at."""
    folder = proc / str(pid) / "task" / str(thread)
    try:
        ran_ns, waited_ns, _ = (folder / "schedstat").read_text().split()
        fields = _fields(folder / "stat")
    except (OSError, ValueError):
        return None
    return ThreadTimes(int(ran_ns) / 1e9, int(waited_ns) / 1e9, fields[0] == "R", int(fields[36]))


def process_use(pid: int, proc: Path = PROC) -> ProcessUse | None:
    """None if there is no such process."""
    try:
        fields = _fields(proc / str(pid) / "stat")
    except OSError:
        return None
    return ProcessUse((int(fields[11]) + int(fields[12])) / _TICKS, int(fields[21]) * _PAGE_BYTES)


def _fields(stat: Path) -> list[str]:
    """Those of /proc/PID/stat from the third on, the state: a name in the second may have spaces."""
    return stat.read_text().rpartition(")")[2].split()
