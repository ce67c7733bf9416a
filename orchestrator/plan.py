# SPDX-License-Identifier: Apache-2.0
"""The plan: who owns which CPU, byte, APIC id, peer id and PCI slot. Resolved once from a spec, and frozen.

Node ids are those of the spec; local ids are those that one partition's kernel sees. QEMU's NUMA ids and
topology indices are dense, so each partition counts its own from 0, and the tables here map both ways.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator import pci_slots
from orchestrator.numa import NodeNuma, access, resolve_distances, resolve_numa
from orchestrator.spec import CustomKernel, MemoryKind, Partition, Spec, host_name
from orchestrator.spec_rules import node_shape
from orchestrator.topology import Position, Shape, compress, enclosing_shape

FOUR_GIB = 1 << 32


class KernelKind(StrEnum):
    LINUX = "linux"
    LWK = "lwk"
    CUSTOM = "custom"


@dataclass(frozen=True, slots=True)
class NodePlan:
    """The whole node. `distances` is the full matrix."""

    shape: Shape
    numa: tuple[NodeNuma, ...]
    distances: tuple[tuple[int, ...], ...]


@dataclass(frozen=True, slots=True)
class SmpPlan:
    """The topology that QEMU is told. If it is regular all CPUs are there from the start; if not, only the
    first is, and the other owned ones are plugged. `spare` places are those where it owns nothing."""

    shape: Shape
    regular: bool
    spare: tuple[Position, ...]


@dataclass(frozen=True, slots=True)
class CpuPlan:
    """`local_cpu` is the number that the partition's kernel gives it, and `at` its place in the partition."""

    node_cpu: int
    local_cpu: int
    apic_id: int
    at: Position
    node_numa: int
    local_numa: int


@dataclass(frozen=True, slots=True)
class NumaPlan:
    """A NUMA node of which the partition owns CPUs, memory or both. `initiator` is the local node with the
    closest CPUs: itself if it has any."""

    local_id: int
    node_id: int
    kind: MemoryKind
    size_bytes: int
    local_cpus: tuple[int, ...]
    initiator: int


@dataclass(frozen=True, slots=True)
class HmatRow:
    """What the CPUs of one local NUMA node find when they use the memory of another."""

    initiator: int
    target: int
    latency_ns: int
    bandwidth_mbps: int


@dataclass(frozen=True, slots=True)
class MemoryChunk:
    """The partition's memory of one NUMA node: one file. A window onto it needs a power of two."""

    local_numa: int
    size_bytes: int
    window_bytes: int


@dataclass(frozen=True, slots=True)
class Segment:
    """Guest-physical RAM, and where in which chunk it lies."""

    phys: int
    size_bytes: int
    chunk: int
    offset: int


@dataclass(frozen=True, slots=True)
class WindowPlan:
    """Where the host sees a chunk of another partition."""

    partition: int
    chunk: int
    slot: int
    function: int
    size_bytes: int


@dataclass(frozen=True, slots=True)
class GuestFile:
    guest_path: str
    local_path: Path


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

    @property
    def memory_bytes(self) -> int:
        return sum(chunk.size_bytes for chunk in self.memory)


@dataclass(frozen=True, slots=True)
class Plan:
    """Partitions in the order of the spec; `monitor_id` is the peer id of the supervisor."""

    name: str
    spec_path: Path
    node: NodePlan
    partitions: tuple[PartitionPlan, ...]
    monitor_id: int

    @property
    def host(self) -> PartitionPlan:
        return next(partition for partition in self.partitions if partition.is_host)


def resolve(spec: Spec, spec_path: Path) -> Plan:
    """The plan of a checked spec; `spec_path` is where it came from, and relative paths in it start there."""
    distances = resolve_distances(spec.node)
    node = NodePlan(node_shape(spec.node), resolve_numa(spec.node), distances)
    partitions = tuple(
        _partition(spec, node, index, name, spec_path.parent) for index, name in enumerate(spec.partitions)
    )
    return Plan(spec.name, spec_path, node, partitions, len(partitions))


def _partition(spec: Spec, node: NodePlan, index: int, name: str, folder: Path) -> PartitionPlan:
    written = spec.partitions[name]
    numa = _numa(node, written)
    memory = _chunks(numa)
    custom = written.kernel if isinstance(written.kernel, CustomKernel) else None
    is_host = name == host_name(spec)
    local_of = {of.node_id: of.local_id for of in numa}
    return PartitionPlan(
        index=index,
        name=name,
        kind=KernelKind.CUSTOM if custom else KernelKind(str(written.kernel)),
        is_host=is_host,
        kernel_path=str((folder / custom.path).absolute()) if custom else "",
        cmdline=custom.cmdline if custom else written.cmdline,
        smp=_smp(node, written),
        cpus=_cpus(node, written, local_of),
        numa=numa,
        distances=tuple(tuple(node.distances[a.node_id][b.node_id] for b in numa) for a in numa),
        hmat=_hmat(node, numa),
        memory=memory,
        segments=_segments(memory),
        windows=_windows(spec, node) if is_host else (),
        packages=written.packages,
        files=tuple(GuestFile(guest, (folder / local).absolute()) for guest, local in written.files.items()),
    )


def _local_positions(node: NodePlan, written: Partition) -> list[Position]:
    return compress([node.shape.position(cpu) for cpu in written.cpus])


def _smp(node: NodePlan, written: Partition) -> SmpPlan:
    positions = _local_positions(node, written)
    shape = enclosing_shape(positions)
    spare = tuple(at for at in shape.positions() if at not in set(positions))
    return SmpPlan(shape, not spare, spare)


def _cpus(node: NodePlan, written: Partition, local_of: dict[int, int]) -> tuple[CpuPlan, ...]:
    """In the order in which kernels number them: by APIC id, which is the node's order too."""
    positions = _local_positions(node, written)
    shape = enclosing_shape(positions)
    numa_of = {cpu: numa.node_id for numa in node.numa for cpu in numa.cpus}
    return tuple(
        CpuPlan(cpu, local, shape.apic_id(at), at, numa_of[cpu], local_of[numa_of[cpu]])
        for local, (cpu, at) in enumerate(zip(written.cpus, positions, strict=True))
    )


def _numa(node: NodePlan, written: Partition) -> tuple[NumaPlan, ...]:
    local_cpu = {cpu: local for local, cpu in enumerate(written.cpus)}
    owned = [of for of in node.numa if of.node_id in written.memory or local_cpu.keys() & set(of.cpus)]
    cpus_of = [tuple(local_cpu[cpu] for cpu in of.cpus if cpu in local_cpu) for of in owned]
    initiators = [local for local, cpus in enumerate(cpus_of) if cpus]

    def closest(local: int) -> int:
        distances = node.distances[owned[local].node_id]
        return min(initiators, key=lambda initiator: (distances[owned[initiator].node_id], initiator))

    return tuple(
        NumaPlan(
            local, of.node_id, of.kind, written.memory.get(of.node_id, 0), cpus_of[local], closest(local)
        )
        for local, of in enumerate(owned)
    )


def _hmat(node: NodePlan, numa: Sequence[NumaPlan]) -> tuple[HmatRow, ...]:
    return tuple(
        HmatRow(
            initiator.local_id,
            target.local_id,
            *access(node.numa, node.distances, initiator.node_id, target.node_id),
        )
        for initiator in numa
        if initiator.local_cpus
        for target in numa
        if target.size_bytes
    )


def _chunks(numa: Sequence[NumaPlan]) -> tuple[MemoryChunk, ...]:
    return tuple(
        MemoryChunk(of.local_id, of.size_bytes, 1 << (of.size_bytes - 1).bit_length())
        for of in numa
        if of.size_bytes
    )


def _segments(memory: Sequence[MemoryChunk]) -> tuple[Segment, ...]:
    """RAM is the chunks one after the other, and the part that does not fit below the PCI hole goes to 4 GiB.

    hw/i386/pc_q35.c, `pc_q35_init`: the hole begins at 2816 MiB, or at 2 GiB for a guest that reaches it.
    """
    total = sum(chunk.size_bytes for chunk in memory)
    low = min(total, 0xB0000000) if total < 0xB0000000 else 0x80000000
    segments = []
    start = 0
    for index, chunk in enumerate(memory):
        end = start + chunk.size_bytes
        if start < low:
            segments.append(Segment(start, min(end, low) - start, index, 0))
        if end > low:
            first = max(start, low)
            segments.append(Segment(FOUR_GIB + first - low, end - first, index, first - start))
        start = end
    return tuple(segments)


def _windows(spec: Spec, node: NodePlan) -> tuple[WindowPlan, ...]:
    """One for each chunk of each partition that does not run Linux."""
    chunks = [
        (partition, chunk_index, chunk)
        for partition, written in enumerate(spec.partitions.values())
        if written.kernel != "linux"
        for chunk_index, chunk in enumerate(_chunks(_numa(node, written)))
    ]
    return tuple(
        WindowPlan(partition, chunk_index, *pci_slots.window(index), chunk.window_bytes)
        for index, (partition, chunk_index, chunk) in enumerate(chunks)
    )
