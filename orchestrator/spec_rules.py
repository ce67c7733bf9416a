# SPDX-License-Identifier: Apache-2.0
"""What the values of a spec must mean to each other: one owner per CPU and byte, and everything fits.

Each rule yields a finding per violation, at the path of the value that a person would change.
"""

from collections.abc import Iterator

from orchestrator import pci_slots
from orchestrator.quantities import CPUS_MAX, MIB, format_cpu_list, format_size
from orchestrator.spec import Node, Partition, Place, Spec
from orchestrator.spec_error import Finding
from orchestrator.topology import PLACES_MAX, Shape, compress, enclosing_shape

# With less, the kernel cannot even unpack itself.
LINUX_MEMORY_MIN = 128 * MIB
LWK_MEMORY_MIN = 16 * MIB
# Windows are powers of two, so they take up to twice as much of the 40 address bits of QEMU's TCG.
NODE_MEMORY_MAX = 256 << 30
HUGEPAGES = (2 * MIB, 1 << 30)


def node_shape(node: Node) -> Shape:
    return Shape(node.cpus.sockets, node.cpus.dies, node.cpus.cores, node.cpus.threads)


def findings(spec: Spec) -> Iterator[Finding]:
    """Everything wrong with `spec`; partitions are judged only within a node that makes sense."""
    of_node = [*_node_cpus(spec.node)] or [*_numa_cpus(spec.node)]
    of_node += [*_near(spec.node), *_node_memory(spec.node), *_distances(spec.node)]
    of_node = of_node or [*_nearest(spec.node)]
    yield from of_node
    if not of_node:
        yield from _host(spec)
        yield from _cpu_owners(spec)
        yield from _memory_owners(spec)
        yield from _processor_owners(spec)
        yield from _windows(spec)
        for name, partition in spec.partitions.items():
            yield from _partition(spec, name, partition)


def _node_cpus(node: Node) -> Iterator[Finding]:
    count = node_shape(node).cpu_count
    if count > CPUS_MAX:
        yield Finding(("node", "cpus"), f"this makes {count} CPUs", f"a node has at most {CPUS_MAX}")


def _numa_cpus(node: Node) -> Iterator[Finding]:
    everything = set(range(node_shape(node).cpu_count))
    owner: dict[int, int] = {}
    for index, numa in enumerate(node.numa):
        path = ("node", "numa", index, "cpus")
        absent = set(numa.cpus) - everything
        if absent:
            yield _no_such_cpus(path, absent, len(everything))
        taken = sorted(set(numa.cpus) & set(owner))
        if taken:
            yield Finding(
                path,
                f"CPU {format_cpu_list(taken)} is in NUMA node {owner[taken[0]]} already",
                f"in no NUMA node yet: {format_cpu_list(everything - set(owner))}",
            )
        owner.update((cpu, index) for cpu in numa.cpus if cpu not in owner)
    rest = everything - set(owner)
    if rest:
        yield Finding(
            ("node", "numa"),
            f"CPU {format_cpu_list(rest)} is in no NUMA node",
            f"add it to the cpus of one; the node has CPUs {format_cpu_list(everything)}",
        )


def _no_such_cpus(path: tuple[str | int, ...], absent: set[int], count: int) -> Finding:
    return Finding(
        path,
        f"CPU {format_cpu_list(absent)} does not exist",
        f"the node has CPUs {format_cpu_list(range(count))}",
    )


def _near(node: Node) -> Iterator[Finding]:
    with_cpus = [index for index, numa in enumerate(node.numa) if numa.cpus]
    choice = f"NUMA nodes with CPUs: {format_cpu_list(with_cpus)}"
    for index, numa in enumerate(node.numa):
        if numa.cpus and numa.near is not None:
            yield Finding(
                ("node", "numa", index, "near"),
                f"NUMA node {index} has CPUs of its own",
                "remove near, or the CPUs",
            )
        elif not numa.cpus and numa.near is None:
            yield Finding(("node", "numa", index), "a NUMA node without CPUs needs near: N", choice)
        elif not numa.cpus and numa.near not in with_cpus:
            yield Finding(("node", "numa", index, "near"), f"{numa.near} is no NUMA node with CPUs", choice)


def _node_memory(node: Node) -> Iterator[Finding]:
    total = sum(numa.memory for numa in node.numa)
    if total > NODE_MEMORY_MAX:
        most = format_size(NODE_MEMORY_MAX)
        yield Finding(
            ("node", "numa"), f"this makes {format_size(total)} of memory", f"a node has at most {most}"
        )


def _distances(node: Node) -> Iterator[Finding]:
    if node.distances is None:
        return
    count = len(node.numa)
    if len(node.distances) != count:
        yield Finding(
            ("node", "distances"),
            f"there are {len(node.distances)} rows",
            f"one for each of the {count} NUMA nodes",
        )
    for i, row in enumerate(node.distances):
        path = ("node", "distances", i)
        if len(row) != count:
            yield Finding(
                path, f"row {i} has {len(row)} distances", f"one for each of the {count} NUMA nodes"
            )
            continue
        for j, distance in enumerate(row):
            if i == j and distance != 10:
                yield Finding(path, f"the distance of NUMA node {i} to itself is {distance}", "it must be 10")
            if i != j and not 10 < distance < 255:
                yield Finding(
                    path, f"the distance from NUMA node {i} to {j} is {distance}", "it must be 11 to 254"
                )
            other = node.distances[j][i] if j < i and len(node.distances[j]) == count else distance
            if other != distance:
                yield Finding(
                    path,
                    f"the distance from NUMA node {i} to {j} is {distance}, and {other} the other way",
                    "both must be equal",
                )


def _nearest(node: Node) -> Iterator[Finding]:
    """Latency and bandwidth are those from there; CPUs closer yet would have more than HMAT entries hold."""
    for index, numa in enumerate(node.numa):
        if node.distances is None or numa.near is None:
            continue
        row = node.distances[index]
        closest = min((other for other, of in enumerate(node.numa) if of.cpus), key=lambda other: row[other])
        if row[closest] < row[numa.near]:
            yield Finding(
                ("node", "numa", index, "near"),
                f"NUMA node {numa.near} is at distance {row[numa.near]}, and {closest} at {row[closest]}",
                f"write near: {closest}, or other distances",
            )


def _host(spec: Spec) -> Iterator[Finding]:
    if all(not partition.runs_linux for partition in spec.partitions.values()):
        yield Finding(
            ("partitions",), "no partition has kernel: linux or source", "the first that does is the host"
        )


def _cpu_owners(spec: Spec) -> Iterator[Finding]:
    everything = set(range(node_shape(spec.node).cpu_count))
    claimed = {cpu for partition in spec.partitions.values() for cpu in partition.cpus}
    owner: dict[int, str] = {}
    for name, partition in spec.partitions.items():
        path = ("partitions", name, "cpus")
        absent = set(partition.cpus) - everything
        if absent:
            yield _no_such_cpus(path, absent, len(everything))
        taken = sorted(set(partition.cpus) & set(owner))
        if taken:
            owners = ", ".join(dict.fromkeys(owner[cpu] for cpu in taken))
            yield Finding(
                path,
                f"CPU {format_cpu_list(taken)} belongs to {owners} already",
                f"free CPUs: {format_cpu_list(everything - claimed)}",
            )
        owner.update((cpu, name) for cpu in partition.cpus if cpu not in owner)


def _memory_owners(spec: Spec) -> Iterator[Finding]:
    free = [numa.memory for numa in spec.node.numa]
    for name, partition in spec.partitions.items():
        for index, size in partition.memory.items():
            path = ("partitions", name, "memory", index)
            if index >= len(free):
                yield Finding(
                    path,
                    f"NUMA node {index} does not exist",
                    f"the node has {format_cpu_list(range(len(free)))}",
                )
            elif size > free[index]:
                of = format_size(spec.node.numa[index].memory)
                yield Finding(
                    path,
                    f"{format_size(size)} does not fit in NUMA node {index}",
                    f"{format_size(free[index])} of its {of} is free",
                )
            else:
                free[index] -= size


def _processor_owners(spec: Spec) -> Iterator[Finding]:
    """Of this computer's processors; whether they exist is not known before it is known where to run."""
    owner: dict[int, str] = {}
    for name, partition in spec.partitions.items():
        if isinstance(partition.place, Place) and isinstance(partition.place.cpus, tuple):
            taken = sorted(set(partition.place.cpus) & set(owner))
            if taken:
                yield Finding(
                    ("partitions", name, "place", "cpus"),
                    f"processor {format_cpu_list(taken)} is that of {owner[taken[0]]} already",
                    "each pinned CPU has a processor for itself",
                )
            owner.update((cpu, name) for cpu in partition.place.cpus if cpu not in owner)


def _windows(spec: Spec) -> Iterator[Finding]:
    count = sum(len(partition.memory) for partition in spec.partitions.values() if not partition.runs_linux)
    if count > pci_slots.WINDOWS_MAX:
        yield Finding(
            ("partitions",),
            f"the host would need {count} windows: one for each LWK and NUMA node that it has memory of",
            f"at most {pci_slots.WINDOWS_MAX}; give each LWK memory of fewer NUMA nodes",
        )


def _partition(spec: Spec, name: str, partition: Partition) -> Iterator[Finding]:
    path = ("partitions", name)
    least = LINUX_MEMORY_MIN if partition.runs_linux else 0
    if partition.kernel == "lwk":
        least = LWK_MEMORY_MIN
    total = sum(partition.memory.values())
    if total < least:
        yield Finding(
            (*path, "memory"),
            f"{format_size(total)} is too little",
            f"{partition.kernel} needs {format_size(least)}",
        )
    if not partition.runs_linux:
        for key in ("packages", "files"):
            if getattr(partition, key):
                yield Finding((*path, key), f"{key} are for Linux only", f"remove {key}")
    if not isinstance(partition.kernel, str) and partition.cmdline:
        yield Finding(
            (*path, "cmdline"),
            "this kernel has a cmdline of its own",
            "write it inside kernel: {path, cmdline}",
        )
    for guest_path in partition.files:
        if {"..", "."} & set(guest_path.split("/")):
            yield Finding(
                (*path, "files", guest_path),
                f"{guest_path!r} has a '.' or '..' in it",
                "write the plain path",
            )
    yield from _shape(spec.node, name, partition)
    if isinstance(partition.place, Place):
        yield from _place((*path, "place"), partition, partition.place)


def _place(path: tuple[str | int, ...], partition: Partition, place: Place) -> Iterator[Finding]:
    if place == Place(cpus=None, memory=None, hugepages=None):
        yield Finding(path, "this is empty", "say which of cpus, memory and hugepages, or write auto")
    if isinstance(place.cpus, tuple) and len(place.cpus) != len(partition.cpus):
        yield Finding(
            (*path, "cpus"),
            f"{_count(len(place.cpus), 'processor')} for {_count(len(partition.cpus), 'CPU')}",
            "name one for each CPU of the partition, or write auto",
        )
    for index in place.memory if isinstance(place.memory, dict) else ():
        if index not in partition.memory:
            yield Finding(
                (*path, "memory", index),
                f"the partition has no memory of NUMA node {index}",
                f"it has some of {format_cpu_list(partition.memory)}",
            )
    if place.hugepages is not None and place.hugepages not in HUGEPAGES:
        yield Finding(
            (*path, "hugepages"),
            f"there are no pages of {format_size(place.hugepages)}",
            f"a size of x86: {' or '.join(map(format_size, HUGEPAGES))}",
        )
    for index, size in partition.memory.items() if place.hugepages in HUGEPAGES else ():
        if size % (place.hugepages or 1):
            yield Finding(
                ("partitions", path[1], "memory", index),
                f"{format_size(size)} is no whole number of pages of {format_size(place.hugepages or 0)}",
                "change the size, or that of the hugepages",
            )


def _count(number: int, word: str) -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"


def _shape(node: Node, name: str, partition: Partition) -> Iterator[Finding]:
    shape = node_shape(node)
    owned = [shape.position(cpu) for cpu in partition.cpus if cpu < shape.cpu_count]
    places = enclosing_shape(compress(owned)).cpu_count if owned else 0
    if places > PLACES_MAX:
        yield Finding(
            ("partitions", name, "cpus"),
            f"{len(owned)} CPUs laid out like this take {places} places, and QEMU has {PLACES_MAX}",
            "give the partition fewer CPUs, or CPUs of fewer sockets",
        )
