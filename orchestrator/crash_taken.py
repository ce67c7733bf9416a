# SPDX-License-Identifier: Apache-2.0
"""What is taken of a fault at once, before a restart or another kernel changes it.

crash_writer.py makes a bundle of it at leisure, in a process of its own.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.backtrace import Chain
from orchestrator.ikc_layout import Layout
from orchestrator.plan import Plan
from orchestrator.run import RunFolder


class Stack(NamedTuple):
    """Of one CPU, from its stack pointer to the end of the stack."""

    address: int
    data: bytes


class Machinery(NamedTuple):
    """What QEMU had to say. By its number of a CPU: the node's (`node_cpus`); the backtrace (`chains`), or,
    where the memory is QEMU's own, the stack (`stacks`); why it could not take an exception (`no_way`).
    `missing` is what could not be had, and why."""

    version: str = ""
    status: str = ""
    registers: str = ""
    node_cpus: Mapping[int, int] = {}
    chains: Mapping[int, Chain] = {}
    stacks: Mapping[int, Stack] = {}
    no_way: Mapping[int, str] = {}
    missing: tuple[str, ...] = ()


class Taken(NamedTuple):
    """`partition` is its number, `t` seconds since `up`, `at` the time of day in ISO 8601, `uptime_s` the age
    of the life that ended; `others` are name, state and reason of the other partitions; `kernel` is the file
    that it booted, `module` that with the lines of its ikc.ko, if it runs Linux."""

    run: RunFolder
    plan: Plan
    layout: Layout
    number: int
    partition: int
    incarnation: int
    fault: str
    state: str
    reason: str
    t: float
    at: str
    uptime_s: float
    kernel: Path
    module: Path | None
    command: str
    others: tuple[tuple[str, str, str], ...]
    machinery: Machinery

    @property
    def name(self) -> str:
        return self.plan.partitions[self.partition].name
