# SPDX-License-Identifier: Apache-2.0
"""The computer that the enclave runs on, as far as a placement depends on it: what /sys says of it.

Its CPUs are called processors here and in placement.py, so that they are not taken for those of the node.
"""

from collections.abc import Collection, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from orchestrator.quantities import parse_cpu_list


class Processor(NamedTuple):
    """`core` is the number of the first processor of its core, `thread` its place among those of the core."""

    number: int
    node: int
    core: int
    thread: int


class Pool(NamedTuple):
    """Hugepages of one size: how many there are, and how many nobody has taken or been promised."""

    pages: int
    free: int


class Bank(NamedTuple):
    """A NUMA node of this computer: its memory, and its free hugepages by their size in bytes."""

    node: int
    memory_bytes: int
    free_hugepages: Mapping[int, int]


class Computer(NamedTuple):
    """`processors` are those that we may use, without those `taken` by others of ours; `pools` are by the
    size of a page in bytes."""

    processors: tuple[Processor, ...]
    banks: tuple[Bank, ...]
    pools: Mapping[int, Pool]
    taken: tuple[int, ...] = ()


def read_computer(allowed: set[int], taken: Collection[int] = (), sys: Path = Path("/sys")) -> Computer:
    """This computer; `allowed` are the processors on which Linux lets us run (sched_getaffinity(2)), and
    `taken` those of them that CPUs of other enclaves are pinned to."""
    banks = tuple(sorted(_banks(sys)))
    node_of = {number: node for node, numbers in _processors_of_nodes(sys) for number in numbers}
    processors = []
    for number in sorted(allowed.difference(taken)):
        siblings = _siblings(sys, number)
        processors.append(Processor(number, node_of.get(number, 0), siblings[0], siblings.index(number)))
    return Computer(
        tuple(processors),
        banks or (Bank(0, 0, {}),),
        dict(_pools(sys)),
        tuple(sorted(allowed.intersection(taken))),
    )


def _nodes(sys: Path) -> Iterator[tuple[int, Path]]:
    for folder in (sys / "devices/system/node").glob("node[0-9]*"):
        yield int(folder.name.removeprefix("node")), folder


def _processors_of_nodes(sys: Path) -> Iterator[tuple[int, tuple[int, ...]]]:
    for node, folder in _nodes(sys):
        text = (folder / "cpulist").read_text().strip()
        yield node, parse_cpu_list(text) if text else ()


def _siblings(sys: Path, number: int) -> tuple[int, ...]:
    """The processors of its core, itself included."""
    with suppress(OSError):
        path = sys / f"devices/system/cpu/cpu{number}/topology/thread_siblings_list"
        return parse_cpu_list(path.read_text().strip())
    return (number,)


def _banks(sys: Path) -> Iterator[Bank]:
    for node, folder in _nodes(sys):
        for line in (folder / "meminfo").read_text().splitlines():
            if "MemTotal:" in line:
                free = {size: _number(pool / "free_hugepages") for size, pool in _sizes(folder / "hugepages")}
                yield Bank(node, int(line.split()[-2]) << 10, free)


def _pools(sys: Path) -> Iterator[tuple[int, Pool]]:
    for size, folder in _sizes(sys / "kernel/mm/hugepages"):
        free = _number(folder / "free_hugepages") - _number(folder / "resv_hugepages")
        yield size, Pool(_number(folder / "nr_hugepages"), free)


def _sizes(folder: Path) -> Iterator[tuple[int, Path]]:
    """Size of a page in bytes, and the folder that tells of those."""
    for pool in sorted(folder.glob("hugepages-*kB")):
        yield int(pool.name.removeprefix("hugepages-").removesuffix("kB")) << 10, pool


def _number(path: Path) -> int:
    return int(path.read_text())
