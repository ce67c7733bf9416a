# SPDX-License-Identifier: Apache-2.0
"""What a spec gives a partition, in the numbers that its kernel uses; worked out without the plan.

A kernel numbers what it has from 0: CPUs in the node's order, NUMA nodes in that of their first CPU and then
those without. Which CPUs share a socket, die or core is said as sets of CPUs, because the numbers of those
differ from kernel to kernel.
"""

from typing import NamedTuple

from orchestrator.numa import access, resolve_distances, resolve_numa
from orchestrator.spec import Spec
from orchestrator.spec_rules import node_shape

Groups = set[frozenset[int]]
Matrix = dict[tuple[int, int], int]


class Slice(NamedTuple):
    """`latency_ns` and `bandwidth_mb` are of pairs (initiator, target); `closest` is the initiator with the
    shortest way to each NUMA node."""

    cpus: int
    sockets: Groups
    dies: Groups
    cores: Groups
    node_cpus: list[list[int]]
    memory: list[int]
    distances: list[list[int]]
    closest: list[int]
    latency_ns: Matrix
    bandwidth_mb: Matrix

    @property
    def hmat_is_complete(self) -> bool:
        """Linux 6.1 takes no HMAT with a NUMA node that has no memory (`hmat_parse_proximity_domain`)."""
        return all(self.memory)


def slice_of(spec: Spec, name: str) -> Slice:
    partition, node = spec.partitions[name], spec.node
    distances, numa = resolve_distances(node), resolve_numa(node)
    cpus = sorted(partition.cpus)
    numa_of_cpus = [index for cpu in cpus for index, of in enumerate(node.numa) if cpu in of.cpus]
    owned = list(dict.fromkeys([*numa_of_cpus, *sorted(partition.memory)]))
    node_cpus = [[local for local, cpu in enumerate(cpus) if cpu in node.numa[of].cpus] for of in owned]
    initiators = [local for local, here in enumerate(node_cpus) if here]
    reached = {
        (i, t): access(numa, distances, owned[i], owned[t])
        for i in initiators
        for t, target in enumerate(owned)
        if target in partition.memory
    }
    return Slice(
        cpus=len(cpus),
        sockets=_together(spec, cpus, 1),
        dies=_together(spec, cpus, 2),
        cores=_together(spec, cpus, 3),
        node_cpus=node_cpus,
        memory=[partition.memory.get(of, 0) for of in owned],
        distances=[[distances[a][b] for b in owned] for a in owned],
        closest=[
            min(initiators, key=lambda i: (t != i, distances[owned[i]][owned[t]], i))
            for t in range(len(owned))
        ],
        latency_ns={pair: latency for pair, (latency, _) in reached.items()},
        bandwidth_mb={pair: bandwidth for pair, (_, bandwidth) in reached.items()},
    )


def _together(spec: Spec, cpus: list[int], level: int) -> Groups:
    """The CPUs that have the same socket (level 1), die (2) or core (3)."""
    shape = node_shape(spec.node)
    return grouped({local: shape.position(cpu)[:level] for local, cpu in enumerate(cpus)})


def grouped(place_of: dict[int, tuple[int, ...]]) -> Groups:
    """The CPUs that have the same place."""
    groups: dict[tuple[int, ...], set[int]] = {}
    for cpu, place in place_of.items():
        groups.setdefault(place, set()).add(cpu)
    return set(map(frozenset, groups.values()))
