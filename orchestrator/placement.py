# SPDX-License-Identifier: Apache-2.0
"""Which processor of this computer runs which CPU, and where memory lies; pure: plan and computer in.

Each pinned CPU has a processor for itself. All else of an enclave, QEMU's other threads and the
supervisor, runs on the processors that are left. CPUs of one NUMA node of the plan come to lie together in
one NUMA node of this computer, as far as there is room, and their memory with them.
"""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any, NamedTuple

from orchestrator.computer import Computer, Processor
from orchestrator.errors import EnvironmentFault
from orchestrator.plan import MemoryChunk, PartitionPlan, PlaceWish, Plan
from orchestrator.quantities import format_cpu_list, format_size
from orchestrator.topology import Position


class PlacementError(EnvironmentFault):
    """This computer cannot place the enclave as it was asked to."""


class MemoryPlace(NamedTuple):
    """Of one chunk: the NUMA nodes of this computer that it is bound to, and the size of its pages; () and
    0 leave it to Linux."""

    nodes: tuple[int, ...] = ()
    hugepage_bytes: int = 0


class PartitionPlacement(NamedTuple):
    """`processors` has one for each CPU, by its local number, or none; `memory` is by chunk."""

    processors: tuple[int, ...]
    memory: tuple[MemoryPlace, ...]


class Placement(NamedTuple):
    """Partitions in the order of the plan. `others` are the processors for all that is not a pinned CPU;
    none if nothing is pinned."""

    partitions: tuple[PartitionPlacement, ...]
    others: tuple[int, ...]


AUTO = PlaceWish(pinned=True, bound=True)


def wish_auto(plan: Plan) -> Plan:
    """The plan, with every partition placed that does not say itself how."""
    return plan._replace(
        partitions=tuple(each if each.place.said else replace(each, place=AUTO) for each in plan.partitions)
    )


def wish_nothing(plan: Plan) -> Plan:
    return plan._replace(partitions=tuple(replace(each, place=PlaceWish()) for each in plan.partitions))


def wants_placement(plan: Plan) -> bool:
    return any(each.place.said for each in plan.partitions)


def place(plan: Plan, computer: Computer) -> Placement:
    """Where everything goes. Raises PlacementError."""
    pinned = _pin(plan, computer)
    taken = set(pinned.values())
    memory = _bind(plan, computer, pinned)
    _require_hugepages(plan, computer, memory)
    return Placement(
        tuple(
            PartitionPlacement(
                tuple(pinned[each.index, cpu.local_cpu] for cpu in each.cpus if each.place.pinned),
                memory[each.index],
            )
            for each in plan.partitions
        ),
        _others(computer, taken) if taken else (),
    )


# ---- CPUs ----

Pinned = dict[tuple[int, int], int]  # partition and its local CPU: processor


def _pin(plan: Plan, computer: Computer) -> Pinned:
    pinned = _as_written(plan, computer)
    _require_processors(plan, computer)
    free = [each for each in computer.processors if each.number not in set(pinned.values())]
    wanting = _wanting(plan)
    spared = _spared(free, sum(map(len, wanting.values())))
    free = [each for each in free if each.number not in spared]
    threaded = plan.node.shape.threads > 1
    # The largest first: it is the one that a smaller one before it could leave no room for.
    for group in sorted(wanting.values(), key=len, reverse=True):
        for cpu, processor in zip(group, _together(free, len(group), threaded), strict=True):
            pinned[cpu] = processor.number
            free.remove(processor)
    return pinned


def _as_written(plan: Plan, computer: Computer) -> Pinned:
    allowed = {each.number for each in computer.processors}
    pinned = {
        (each.index, local): processor
        for each in plan.partitions
        for local, processor in enumerate(each.place.processors)
    }
    absent = set(pinned.values()) - allowed
    if absent:
        raise PlacementError(
            f"processor {format_cpu_list(absent)} is not there, or not for us",
            f"{_for_us(computer)}; `taskset -p $$` shows what Linux lets us use",
        )
    return pinned


def _wanting(plan: Plan) -> dict[int, list[tuple[int, int]]]:
    """The CPUs that any processor will do for, by the plan's NUMA nodes."""
    groups = defaultdict(list)
    for each in plan.partitions:
        if each.place.pinned and not each.place.processors:
            for cpu in each.cpus:
                groups[cpu.node_numa].append((each.index, cpu.local_cpu))
    return groups


def _require_processors(plan: Plan, computer: Computer) -> None:
    count = sum(len(each.cpus) for each in plan.partitions if each.place.pinned)
    if count and count + 1 > len(computer.processors):
        raise PlacementError(
            f"{count + 1} processors are needed, one for each pinned CPU ({count}) and one for all else; "
            f"{_for_us(computer)}",
            "pin the CPUs of fewer partitions (`place` in the spec), give them fewer CPUs, "
            "or do without a placement (`--place none`)",
        )


def _for_us(computer: Computer) -> str:
    there = [each.number for each in computer.processors]
    others = f", other enclaves have {format_cpu_list(computer.taken)}" if computer.taken else ""
    return f"we may use {len(there)} ({format_cpu_list(there)}){others}"


def _spared(free: Sequence[Processor], wanted: int) -> set[int]:
    """For all else: the first core that is free, as Linux likes to serve interrupts there; of it as much as
    can be spared."""
    if not free:
        return set()
    first = min(free, key=lambda each: (each.core, each.thread))
    core = [each.number for each in free if each.core == first.core]
    return set(core[: len(free) - wanted])


def _together(free: Sequence[Processor], count: int, threaded: bool) -> list[Processor]:
    """That many, of one NUMA node if one has so many: the one that has the least to spare."""
    room = Counter(each.node for each in free)
    fitting = [node for node in room if room[node] >= count]
    if fitting:
        nodes = [min(fitting, key=lambda node: (room[node], node))]
    else:
        nodes = sorted(room, key=lambda node: (-room[node], node))

    def order(each: Processor) -> tuple[int, int, int]:
        # Threads of one core lie on threads of one core; other CPUs get a core each while there are any.
        inner = (each.core, each.thread) if threaded else (each.thread, each.core)
        return nodes.index(each.node), *inner

    return sorted((each for each in free if each.node in nodes), key=order)[:count]


def _others(computer: Computer, taken: set[int]) -> tuple[int, ...]:
    """What no CPU is pinned to, and without the other threads of pinned cores if anything else is left."""
    left = [each for each in computer.processors if each.number not in taken]
    cores = {each.core for each in computer.processors if each.number in taken}
    apart = [each for each in left if each.core not in cores]
    return tuple(each.number for each in apart or left)


# ---- memory ----


def _bind(plan: Plan, computer: Computer, pinned: Pinned) -> list[tuple[MemoryPlace, ...]]:
    nodes_of = _nodes_of_numa(plan, computer, pinned)
    places = [
        tuple(MemoryPlace(_nodes(each, chunk, nodes_of), each.place.hugepage_bytes) for chunk in each.memory)
        for each in plan.partitions
    ]
    _require_nodes(plan, computer, places)
    return places


def _nodes(
    partition: PartitionPlan, chunk: MemoryChunk, nodes_of: Mapping[int, tuple[int, ...]]
) -> tuple[int, ...]:
    numa = partition.numa[chunk.local_numa].node_id
    written = dict(partition.place.nodes)
    if not partition.place.bound:
        return ()
    if written:
        return (written[numa],) if numa in written else ()
    return nodes_of[numa]


def _nodes_of_numa(plan: Plan, computer: Computer, pinned: Pinned) -> dict[int, tuple[int, ...]]:
    """For each NUMA node of the plan: where its CPUs are pinned, or those that it is near to; () if none is.
    A computer with one NUMA node leaves nothing to choose."""
    if len(computer.banks) == 1:
        return {numa.node_id: () for numa in plan.node.numa}
    node_of = {each.number: each.node for each in computer.processors}
    found = defaultdict(set)
    for each in plan.partitions:
        for cpu in each.cpus:
            if (each.index, cpu.local_cpu) in pinned:
                found[cpu.node_numa].add(node_of[pinned[each.index, cpu.local_cpu]])
    return {numa.node_id: tuple(sorted(found[numa.home])) for numa in plan.node.numa}


def _require_nodes(plan: Plan, computer: Computer, places: Sequence[Sequence[MemoryPlace]]) -> None:
    room = {bank.node: bank.memory_bytes for bank in computer.banks}
    bound: Counter[int] = Counter()
    for each, chunks in zip(plan.partitions, places, strict=True):
        for chunk, at in zip(each.memory, chunks, strict=True):
            for node in at.nodes:
                if node not in room:
                    raise PlacementError(
                        f"{each.name}: this computer has no NUMA node {node}",
                        f"it has {format_cpu_list(room)} (`numactl -H` shows them)",
                    )
            if len(at.nodes) == 1:
                bound[at.nodes[0]] += chunk.size_bytes
    for node, size in sorted(bound.items()):
        if size > room[node]:
            raise PlacementError(
                f"{format_size(size)} are to lie in NUMA node {node} of this computer, which has "
                f"{room[node] >> 20}M",
                "bind some of it to another node (`place: {memory: ...}` in the spec), or none of it",
            )


# ---- hugepages ----


def _require_hugepages(plan: Plan, computer: Computer, places: Sequence[Sequence[MemoryPlace]]) -> None:
    free_of = {bank.node: bank.free_hugepages for bank in computer.banks}
    for size, needed in sorted(_hugepages(plan, places).items()):
        _require_size(computer, size)
        pool, total = computer.pools[size], sum(needed.values())
        if total > pool.free:
            raise PlacementError(
                f"{total} hugepages of {format_size(size)} are needed, {pool.free} are free",
                f"as root: echo {pool.pages + total - pool.free} > {_pool_file(size)}",
            )
        for nodes, count in needed.items():
            free = sum(free_of[node].get(size, 0) for node in nodes)
            if nodes and count > free:
                raise PlacementError(
                    f"{count} hugepages of {format_size(size)} are needed in NUMA node "
                    f"{format_cpu_list(nodes)} of this computer, {free} are free there",
                    f"as root, add {count - free} to the number in /sys/devices/system/node/node{nodes[0]}/"
                    f"hugepages/hugepages-{size >> 10}kB/nr_hugepages",
                )


def _require_size(computer: Computer, size: int) -> None:
    if size not in computer.pools:
        sizes = ", ".join(map(format_size, computer.pools)) or "none"
        raise PlacementError(
            f"this computer has no hugepages of {format_size(size)}", f"sizes that it has: {sizes}"
        )


def _pool_file(size: int) -> str:
    return f"/sys/kernel/mm/hugepages/hugepages-{size >> 10}kB/nr_hugepages"


def _hugepages(plan: Plan, places: Sequence[Sequence[MemoryPlace]]) -> dict[int, Counter[tuple[int, ...]]]:
    """How many of which size, by the nodes that they must be in."""
    needed: dict[int, Counter[tuple[int, ...]]] = defaultdict(Counter)
    for each, chunks in zip(plan.partitions, places, strict=True):
        for chunk, at in zip(each.memory, chunks, strict=True):
            if at.hugepage_bytes:
                # The host's window onto it takes the whole power of two, and pages are promised to that.
                size = chunk.size_bytes if each.kind.runs_linux else chunk.window_bytes
                needed[at.hugepage_bytes][at.nodes] += -(-size // at.hugepage_bytes)
    return needed


# ---- for who puts it into effect, and for who asks ----


def processors_by_place(partition: PartitionPlan, placement: PartitionPlacement) -> dict[Position, int]:
    """The processor of each pinned CPU, by where the CPU sits in its machine."""
    pinned = partition.cpus[: len(placement.processors)]
    return {cpu.at: number for cpu, number in zip(pinned, placement.processors, strict=True)}


def as_json(partition: PartitionPlan, placement: Placement | None) -> dict[str, Any] | None:
    """`processors` by CPU of the node, and each chunk of memory by its NUMA node; None if it has no place."""
    if placement is None or not partition.place.said:
        return None
    found = placement.partitions[partition.index]
    numbers = [cpu.node_cpu for cpu in partition.cpus][: len(found.processors)]
    return {
        "processors": dict(zip(map(str, numbers), found.processors, strict=True)),
        "memory": [
            {"node": partition.numa[chunk.local_numa].node_id, **at._asdict()}
            for chunk, at in zip(partition.memory, found.memory, strict=True)
        ],
    }
