# SPDX-License-Identifier: Apache-2.0
"""The node's NUMA nodes with every default filled in: distances, latency, bandwidth."""

from collections.abc import Sequence

from orchestrator.kinds import MemoryKind
from orchestrator.plan import NodeNuma
from orchestrator.spec import BANDWIDTH_STEP_MBPS, Node

LOCAL_DISTANCE = 10  # ACPI 6.4, 5.2.17 "System Locality Information Table"
REMOTE_DISTANCE = 20
# Added for each end that is memory without CPUs: a Xeon Max in flat mode says 13 for its own socket's HBM.
CPULESS_DISTANCE = 3

# Latency in ns and bandwidth in MB/s of a socket's own memory: the order of magnitude of eight channels of
# DDR5 and of four stacks of HBM2e.
_TYPICAL = {MemoryKind.DRAM: (100, 200 << 10), MemoryKind.HBM: (130, 800 << 10)}

Matrix = tuple[tuple[int, ...], ...]


def resolve_numa(node: Node) -> tuple[NodeNuma, ...]:
    resolved = []
    for index, numa in enumerate(node.numa):
        latency, bandwidth = _TYPICAL[numa.kind]
        home = index if numa.near is None else numa.near
        resolved.append(
            NodeNuma(
                index,
                numa.kind,
                numa.memory,
                numa.cpus,
                home,
                numa.latency or latency,
                numa.bandwidth or bandwidth,
            )
        )
    return tuple(resolved)


def resolve_distances(node: Node) -> Matrix:
    """As written, or by default: 10 to itself, 20 to another socket's, 3 more for each end without CPUs."""
    if node.distances is not None:
        return node.distances
    homes = [index if numa.near is None else numa.near for index, numa in enumerate(node.numa)]

    def distance(a: int, b: int) -> int:
        if a == b:
            return LOCAL_DISTANCE
        between = LOCAL_DISTANCE if homes[a] == homes[b] else REMOTE_DISTANCE
        return between + CPULESS_DISTANCE * ((homes[a] != a) + (homes[b] != b))

    everything = range(len(homes))
    return tuple(tuple(distance(a, b) for b in everything) for a in everything)


def access(numa: Sequence[NodeNuma], distances: Matrix, initiator: int, target: int) -> tuple[int, int]:
    """Latency in ns and bandwidth in MB/s from the CPUs of one node to the memory of another.

    They follow the distance: twice as far away as the target is from its home is twice the latency and half
    the bandwidth. Bandwidth stays in the steps that HMAT entries need.
    """
    memory = numa[target]
    near, far = distances[memory.home][target], distances[initiator][target]
    mbps = memory.bandwidth_mbps * near // far // BANDWIDTH_STEP_MBPS * BANDWIDTH_STEP_MBPS
    return memory.latency_ns * far // near, max(mbps, BANDWIDTH_STEP_MBPS)
