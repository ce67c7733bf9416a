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


class Measurement:
    """Begins when it is made; what is done between that and `khz` costs no time of its own."""

    def __init__(self, read_tsc: Callable[[], int], read_ns: Callable[[], int]) -> None:
        self._read_tsc, self._read_ns = read_tsc, read_ns
        self._tsc, self._ns = pair(read_tsc, read_ns)

    def khz(self) -> int:
        """To about 1 in 10,000, which takes 10 ms from the beginning."""
        time.sleep(max(0.0, _WINDOW_S - (self._read_ns() - self._ns) / 1e9))
        tsc, ns = pair(self._read_tsc, self._read_ns)
        return round((tsc - self._tsc) * 1_000_000 / (ns - self._ns))


def measure() -> Measurement | None:
    """Begins to measure; None if this computer has no TSC or does not let us read it."""
    if platform.machine() != "x86_64":
        return None
    try:
        code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
    except OSError:
        # Memory that can be written and executed is forbidden here.
        return None
    code.write(_READ_TSC)
    first_byte = ctypes.c_char.from_buffer(code)  # which keeps the mapping as long as it lives itself
    function = ctypes.CFUNCTYPE(ctypes.c_uint64)(ctypes.addressof(first_byte))

    def read_tsc(code: ctypes.c_char = first_byte) -> int:
        return int(function())

    return Measurement(read_tsc, time.monotonic_ns)


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
