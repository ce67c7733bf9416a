# SPDX-License-Identifier: Apache-2.0
"""The plan: who owns which CPU, byte, APIC id, peer id and PCI slot. Made by resolve.py, and frozen.

Node ids are those of the spec; local ids are those that one partition's kernel sees. QEMU's NUMA ids and
topology indices are dense, so each partition counts its own from 0, and the tables here map both ways.
"""

from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from orchestrator.kinds import KernelKind, MemoryKind
from orchestrator.topology import XAPIC_ID_MAX, Position, Shape


class NodeNuma(NamedTuple):
    """`home` is the NUMA node whose CPUs are the closest; latency and bandwidth are as seen from there."""

    node_id: int
    kind: MemoryKind
    size_bytes: int
    cpus: tuple[int, ...]
    home: int
    latency_ns: int
    bandwidth_mbps: int


class NodePlan(NamedTuple):
    """The whole node. `distances` is the full matrix."""

    shape: Shape
    numa: tuple[NodeNuma, ...]
    distances: tuple[tuple[int, ...], ...]


class SmpPlan(NamedTuple):
    """The topology that QEMU is told. If it is regular all CPUs are there from the start; if not, only the
    first is, and the other owned ones are plugged. `spare` places are those where it owns nothing."""

    shape: Shape
    regular: bool
    spare: tuple[Position, ...]


class CpuPlan(NamedTuple):
    """`local_cpu` is the number that the partition's kernel gives it, and `at` its place in the partition."""

    node_cpu: int
    local_cpu: int
    apic_id: int
    at: Position
    node_numa: int
    local_numa: int


class NumaPlan(NamedTuple):
    """A NUMA node of which the partition owns CPUs, memory or both. `initiator` is the local node with the
    closest CPUs: itself if it has any."""

    local_id: int
    node_id: int
    kind: MemoryKind
    size_bytes: int
    local_cpus: tuple[int, ...]
    initiator: int


class HmatRow(NamedTuple):
    """What the CPUs of one local NUMA node find when they use the memory of another."""

    initiator: int
    target: int
    latency_ns: int
    bandwidth_mbps: int


class MemoryChunk(NamedTuple):
    """The partition's memory of one NUMA node: one file. A window onto it needs a power of two."""

    local_numa: int
    size_bytes: int
    window_bytes: int


class Segment(NamedTuple):
    """Guest-physical RAM, and where in which chunk it lies."""

    phys: int
    size_bytes: int
    chunk: int
    offset: int


class WindowPlan(NamedTuple):
    """Where the host sees a chunk of another partition."""

    partition: int
    chunk: int
    slot: int
    function: int
    size_bytes: int


class GuestFile(NamedTuple):
    guest_path: str
    local_path: Path


class PlaceWish(NamedTuple):
    """Where on this computer a partition is to be (placement.py). `pinned` CPUs have a processor each, those
    of `processors` or any; `bound` memory lies in one of this computer's NUMA nodes, which `nodes` says for
    NUMA nodes of the plan, or in any."""

    pinned: bool = False
    processors: tuple[int, ...] = ()
    bound: bool = False
    nodes: tuple[tuple[int, int], ...] = ()
    hugepage_bytes: int = 0

    @property
    def said(self) -> bool:
        return self.pinned or self.bound or self.hugepage_bytes > 0


@dataclass(frozen=True, slots=True)
class PartitionPlan:
    """`index` is also the ivshmem peer id. `kernel_path` is a custom kernel's, "" for the built-in ones."""

    index: int
    name: str
    kind: KernelKind
    is_host: bool
    kernel_path: str
    cmdline: str
    smp: SmpPlan
    cpus: tuple[CpuPlan, ...]
    numa: tuple[NumaPlan, ...]
    distances: tuple[tuple[int, ...], ...]
    hmat: tuple[HmatRow, ...]
    memory: tuple[MemoryChunk, ...]
    segments: tuple[Segment, ...]
    windows: tuple[WindowPlan, ...]
    packages: tuple[str, ...]
    files: tuple[GuestFile, ...]
    place: PlaceWish

    @property
    def memory_bytes(self) -> int:
        return sum(chunk.size_bytes for chunk in self.memory)

    @property
    def needs_x2apic(self) -> bool:
        """Whether a place has an APIC id of more than 8 bits."""
        return self.smp.shape.apic_id_max > XAPIC_ID_MAX


class Plan(NamedTuple):
    """Partitions in the order of the spec; `monitor_id` is the peer id of the supervisor."""

    name: str
    spec_path: Path
    node: NodePlan
    partitions: tuple[PartitionPlan, ...]
    monitor_id: int

    @property
    def host(self) -> PartitionPlan:
        return next(partition for partition in self.partitions if partition.is_host)
