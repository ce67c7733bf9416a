# SPDX-License-Identifier: Apache-2.0
"""Makes the plan of a checked spec: every default filled in, every id given, every address placed."""

from collections.abc import Sequence
from pathlib import Path

from orchestrator import pci_slots
from orchestrator.kinds import KernelKind
from orchestrator.numa import access, resolve_distances, resolve_numa
from orchestrator.plan import (
    CpuPlan,
    GuestFile,
    HmatRow,
    MemoryChunk,
    NodeNuma,
    NodePlan,
    NumaPlan,
    PartitionPlan,
    PlaceWish,
    Plan,
    Segment,
    SmpPlan,
    WindowPlan,
)
from orchestrator.spec import CustomKernel, Partition, Place, Spec, host_name
from orchestrator.spec_rules import node_shape
from orchestrator.topology import Position, compress, enclosing_shape

FOUR_GIB = 1 << 32


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
        place=_wish(written),
    )


def _wish(written: Partition) -> PlaceWish:
    place = Place(cpus="auto", memory="auto", hugepages=None) if written.place == "auto" else written.place
    if place is None:
        return PlaceWish()
    return PlaceWish(
        pinned=place.cpus is not None,
        processors=place.cpus if isinstance(place.cpus, tuple) else (),
        bound=place.memory is not None,
        nodes=tuple(place.memory.items()) if isinstance(place.memory, dict) else (),
        hugepage_bytes=place.hugepages or 0,
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
    """In the order in which Linux numbers them whatever their ids: it reads the SRAT's CPUs first
    (`acpi_numa_init`), so they come in the order of their first CPUs, and those without CPUs behind them."""
    local_cpu = {cpu: local for local, cpu in enumerate(written.cpus)}

    def order(of: NodeNuma) -> tuple[int, int]:
        return min(
            (local_cpu[cpu] for cpu in of.cpus if cpu in local_cpu), default=len(local_cpu)
        ), of.node_id

    owned = [of for of in node.numa if of.node_id in written.memory or local_cpu.keys() & set(of.cpus)]
    owned.sort(key=order)
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
        if not written.runs_linux
        for chunk_index, chunk in enumerate(_chunks(_numa(node, written)))
    ]
    return tuple(
        WindowPlan(partition, chunk_index, *pci_slots.window(index), chunk.window_bytes)
        for index, (partition, chunk_index, chunk) in enumerate(chunks)
    )
