# SPDX-License-Identifier: Apache-2.0
"""The frequency of this computer's time-stamp counter, which guests read unscaled under TCG.

A Linux that is not told measures it against the emulated PIT. On a busy computer that fails more often than
not, and then takes half a second and is wrong by a thousandth.
"""

import ctypes
import mmap
import platform
import time
from collections.abc import Callable

# rdtsc; shl rdx, 32; or rax, rdx; ret
_READ_TSC = bytes.fromhex("0f31 48c1e220 4809d0 c3")
_WINDOW_S = 0.010
_TRIES = 5


def frequency_khz() -> int:
    """Measured in 10 ms, to about 1 in 10,000; 0 if this computer has none or does not let us read it."""
    if platform.machine() != "x86_64":
        return 0
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        # Memory that can be written and executed is forbidden here.
        return 0
    code.write(_READ_TSC)
    read = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(ctypes.c_char.from_buffer(code)))
    return measure(read, time.monotonic_ns)


def measure(read_tsc: Callable[[], int], read_ns: Callable[[], int]) -> int:
    start_tsc, start_ns = pair(read_tsc, read_ns)
    time.sleep(_WINDOW_S)
    end_tsc, end_ns = pair(read_tsc, read_ns)
    return round((end_tsc - start_tsc) * 1_000_000 / (end_ns - start_ns))


def pair(read_tsc: Callable[[], int], read_ns: Callable[[], int]) -> tuple[int, int]:
    """Both clocks at one moment: of several tries the one with the least time around it."""
    tries = []
    for _ in range(_TRIES):
        before = read_ns()
        tsc = read_tsc()
        after = read_ns()
        tries.append((after - before, tsc, (before + after) // 2))
    _, tsc, ns = min(tries)
    return tsc, ns
