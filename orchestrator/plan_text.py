# SPDX-License-Identifier: Apache-2.0
"""A plan as text and as JSON: who owns which CPU and byte, and the command lines. Pure; prints nothing."""

import shlex
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from orchestrator import records
from orchestrator.placement import Placement
from orchestrator.placement import as_json as placed_as_json
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.quantities import format_cpu_list, format_size
from orchestrator.table import columns, placements

Commands = Mapping[str, Sequence[str]]


def as_json(plan: Plan, commands: Commands, placement: Placement | None = None) -> dict[str, Any]:
    """The whole plan, with `command` and `placement` added to each partition."""
    whole: dict[str, Any] = records.as_json(plan)
    whole["other_processors"] = list(placement.others) if placement else []
    for each, partition in zip(plan.partitions, whole["partitions"], strict=True):
        partition["command"] = list(commands[each.name])
        partition["placement"] = placed_as_json(each, placement)
    return whole


def as_text(plan: Plan, commands: Commands, placement: Placement | None = None) -> str:
    return "\n\n".join(
        [
            _title(plan),
            _partitions(plan),
            _numa(plan),
            _distances(plan),
            _memory(plan),
            *([_placements(plan, placement)] if placement else []),
            *(f"{name}:\n{command_lines(command)}" for name, command in commands.items()),
        ]
    )


def command_lines(command: Sequence[str]) -> str:
    """One option a line, to be pasted into a shell as it is."""
    lines = [shlex.quote(command[0])]
    for word in command[1:]:
        quoted = shlex.quote(word)
        if word.startswith("-"):
            lines.append(f"    {quoted}")
        else:
            lines[-1] += f" {quoted}"
    return " \\\n".join(lines)


def _title(plan: Plan) -> str:
    shape = plan.node.shape
    levels = (
        (shape.sockets, "socket"),
        (shape.dies, "die"),
        (shape.cores, "core"),
        (shape.threads, "thread"),
    )
    each = " x ".join(_count(number, word) for number, word in levels)
    return f"enclave {plan.name}: {shape.cpu_count} CPUs ({each}), {_count(len(plan.node.numa), 'NUMA node')}"


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _partitions(plan: Plan) -> str:
    rows = [
        (
            partition.name,
            str(partition.index),
            partition.kernel_path or partition.kind.value,
            format_cpu_list(cpu.node_cpu for cpu in partition.cpus),
            format_cpu_list(cpu.local_cpu for cpu in partition.cpus),
            format_cpu_list(cpu.apic_id for cpu in partition.cpus),
            _own_numa(partition),
        )
        for partition in plan.partitions
    ]
    header = ("PARTITION", "PEER", "KERNEL", "CPUS", "LOCAL CPUS", "APIC IDS", "NUMA NODES (LOCAL)")
    return columns(header, rows)


def _own_numa(partition: PartitionPlan) -> str:
    return ", ".join(f"{numa.node_id} ({numa.local_id})" for numa in partition.numa)


def _numa(plan: Plan) -> str:
    return columns(
        ("NUMA NODE", "KIND", "CPUS", "MEMORY", "OWNERS"),
        [
            (
                str(numa.node_id),
                numa.kind.value,
                format_cpu_list(numa.cpus),
                format_size(numa.size_bytes),
                ", ".join(_owners(plan, numa.node_id, numa.size_bytes)),
            )
            for numa in plan.node.numa
        ],
    )


def _owners(plan: Plan, node: int, size_bytes: int) -> Iterator[str]:
    free = size_bytes
    for partition in plan.partitions:
        for numa in partition.numa:
            if numa.node_id == node and numa.size_bytes:
                free -= numa.size_bytes
                yield f"{partition.name} {format_size(numa.size_bytes)}"
    if free:
        yield f"nobody {format_size(free)}"


def _distances(plan: Plan) -> str:
    nodes = [str(numa.node_id) for numa in plan.node.numa]
    rows = [(node, *map(str, row)) for node, row in zip(nodes, plan.node.distances, strict=True)]
    return columns(("DISTANCE", *nodes), rows)


def _placements(plan: Plan, placement: Placement) -> str:
    rows = [{"name": each.name, "placement": placed_as_json(each, placement)} for each in plan.partitions]
    return placements(rows, placement.others)


def _memory(plan: Plan) -> str:
    windows = {
        (window.partition, window.chunk): f"{window.slot:02x}.{window.function}"
        for window in plan.host.windows
    }
    rows = [
        (
            partition.name,
            f"{segment.phys:#012x}-{segment.phys + segment.size_bytes - 1:#012x}",
            format_size(segment.size_bytes),
            str(partition.numa[partition.memory[segment.chunk].local_numa].node_id),
            windows.get((partition.index, segment.chunk), "-"),
        )
        for partition in plan.partitions
        for segment in partition.segments
    ]
    return columns(("PARTITION", "GUEST-PHYSICAL", "SIZE", "NUMA NODE", "HOST'S WINDOW"), rows)
