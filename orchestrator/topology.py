# SPDX-License-Identifier: Apache-2.0
"""Where CPUs sit: sockets, dies, cores and threads, and the APIC ids that follow from them.

CPUs are numbered as QEMU numbers them: threads fastest, then cores, dies and sockets.
"""

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

# xAPIC ids have 8 bits, and 255 is the broadcast. QEMU's TCG has no x2APIC before version 9.
XAPIC_ID_MAX = 254

# `max_cpus` of QEMU 7.2's q35 (hw/i386/pc_q35.c); spare places count.
PLACES_MAX = 288

# Linux' flat logical APIC mode; FADT tells it to leave that mode when more are possible.
LOGICAL_CPUS_MAX = 8


class Position(NamedTuple):
    """Indices within the parent: which socket, which die of it, which core of that, which thread."""

    socket: int
    die: int
    core: int
    thread: int


class Shape(NamedTuple):
    """How many of each there are in one of the next larger."""

    sockets: int
    dies: int
    cores: int
    threads: int

    @property
    def cpu_count(self) -> int:
        return self.sockets * self.dies * self.cores * self.threads

    def position(self, cpu: int) -> Position:
        rest, thread = divmod(cpu, self.threads)
        rest, core = divmod(rest, self.cores)
        socket, die = divmod(rest, self.dies)
        return Position(socket, die, core, thread)

    def positions(self) -> list[Position]:
        return [self.position(cpu) for cpu in range(self.cpu_count)]

    def apic_id(self, at: Position) -> int:
        """Each level has a bit field just wide enough (Intel SDM volume 3, "Hierarchical Mapping of
        Shared Resources")."""
        apic_id = at.socket
        for index, count in ((at.die, self.dies), (at.core, self.cores), (at.thread, self.threads)):
            apic_id = apic_id << (count - 1).bit_length() | index
        return apic_id

    @property
    def apic_id_max(self) -> int:
        return self.apic_id(self.position(self.cpu_count - 1))


def compress(owned: Sequence[Position]) -> list[Position]:
    """The same CPUs in the same order; the sockets, dies, cores and threads that remain count from 0."""
    ranks: dict[tuple[int, ...], int] = {}
    children: Counter[tuple[int, ...]] = Counter()
    for at in sorted(owned):
        for level in range(1, 5):
            if at[:level] not in ranks:
                ranks[at[:level]] = children[at[: level - 1]]
                children[at[: level - 1]] += 1
    return [Position(*(ranks[at[:level]] for level in range(1, 5))) for at in owned]


def enclosing_shape(local: Sequence[Position]) -> Shape:
    """The smallest regular shape that has a place for each position, and as many as QEMU's TCG needs.

    With one place it takes the guest to be alone in its memory and makes its locked instructions plain ones
    (`CF_PARALLEL` in accel/tcg needs maxcpus > 1); but the fabric is shared. At a gap in the APIC ids its
    search for logical destinations ends (`apic_get_delivery_bitmask` in hw/intc/apic.c), and CPUs behind it
    get no interrupts from Linux, which uses physical destinations only if more than 8 CPUs are possible.

    In a die with one place Linux 6.1 takes the CPU for alone in its socket (`set_cpu_sibling_map`).
    """
    sockets, dies, cores, threads = (max(at[level] for at in local) + 1 for level in range(4))
    if dies > 1 and cores * threads == 1:
        cores = 2
    shape = Shape(sockets, dies, cores, threads)
    has_gap = sorted(map(shape.apic_id, local)) != list(range(len(local)))
    places = LOGICAL_CPUS_MAX + 1 if has_gap else 2
    return shape._replace(sockets=max(sockets, -(-places // (dies * cores * threads))))
