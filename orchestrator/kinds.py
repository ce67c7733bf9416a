# SPDX-License-Identifier: Apache-2.0
"""The kinds of kernels and of memory: words that a spec and its plan share."""

from enum import StrEnum


class KernelKind(StrEnum):
    LINUX = "linux"  # Debian's
    SOURCE = "source"  # Linux too, configured and built here
    LWK = "lwk"
    CUSTOM = "custom"

    @property
    def runs_linux(self) -> bool:
        return self in (KernelKind.LINUX, KernelKind.SOURCE)


class MemoryKind(StrEnum):
    DRAM = "dram"
    HBM = "hbm"
