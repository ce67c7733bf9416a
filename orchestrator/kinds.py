# SPDX-License-Identifier: Apache-2.0
"""The kinds of kernels and of memory: words that a spec and its plan share."""

from enum import StrEnum


class KernelKind(StrEnum):
    LINUX = "linux"
    LWK = "lwk"
    CUSTOM = "custom"


class MemoryKind(StrEnum):
    DRAM = "dram"
    HBM = "hbm"
