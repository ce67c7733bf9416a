# SPDX-License-Identifier: Apache-2.0
"""Reads the ACPI tables that tell of CPUs, memory and distances (ACPI 6.4, chapter 5.2)."""

import struct
from collections.abc import Iterator
from typing import NamedTuple

ENABLED = 1
INITIATOR_VALID = 1
LATENCY, BANDWIDTH = 0, 3  # data types of the HMAT; 1, 2, 4 and 5 are those of reads and writes alone

Matrix = dict[tuple[int, int], int]


class Memory(NamedTuple):
    base: int
    size: int
    node: int


class Srat(NamedTuple):
    """`cpus` is APIC id to node, of all places for a CPU."""

    cpus: dict[int, int]
    memory: list[Memory]


class Hmat(NamedTuple):
    """`initiators` is memory's node to the node with the closest CPUs; pairs are (initiator, target)."""

    initiators: dict[int, int]
    latency_ns: Matrix
    bandwidth_mb: Matrix


def madt(table: bytes) -> list[int]:
    """APIC ids of the CPUs that are there, in the table's order (5.2.12.2, 5.2.12.12)."""
    found = []
    for kind, entry in _entries(table, 44, "<BB"):
        if kind == 0:
            apic_id, flags = entry[3], _u32(entry, 4)
        elif kind == 9:
            apic_id, flags = _u32(entry, 4), _u32(entry, 8)
        else:
            continue
        if flags & ENABLED:
            found.append(apic_id)
    return found


def srat(table: bytes) -> Srat:
    """5.2.16"""
    found = Srat({}, [])
    for kind, entry in _entries(table, 48, "<BB"):
        if kind == 0 and _u32(entry, 4) & ENABLED:
            found.cpus[entry[3]] = entry[2] | _u32(entry, 8) >> 8 << 8
        elif kind == 1 and _u32(entry, 28) & ENABLED:
            base, size = struct.unpack_from("<QQ", entry, 8)
            if size:
                found.memory.append(Memory(base, size, _u32(entry, 2)))
        elif kind == 2 and _u32(entry, 12) & ENABLED:
            found.cpus[_u32(entry, 8)] = _u32(entry, 4)
    return found


def slit(table: bytes) -> list[list[int]]:
    """5.2.17"""
    (count,) = struct.unpack_from("<Q", table, 36)
    return [list(table[44 + count * row : 44 + count * (row + 1)]) for row in range(count)]


def hmat(table: bytes) -> Hmat:
    """5.2.27"""
    found = Hmat({}, {}, {})
    for kind, entry in _entries(table, 40, "<HHI"):
        if kind == 0 and entry[8] & INITIATOR_VALID:
            found.initiators[_u32(entry, 16)] = _u32(entry, 12)
        elif kind == 1 and entry[9] == LATENCY:
            found.latency_ns.update((pair, value // 1000) for pair, value in _matrix(entry))
        elif kind == 1 and entry[9] == BANDWIDTH:
            found.bandwidth_mb.update(_matrix(entry))
    return found


def _matrix(entry: bytes) -> Iterator[tuple[tuple[int, int], int]]:
    rows, columns, _, unit = struct.unpack_from("<IIIQ", entry, 12)
    initiators = struct.unpack_from(f"<{rows}I", entry, 32)
    targets = struct.unpack_from(f"<{columns}I", entry, 32 + 4 * rows)
    values = struct.unpack_from(f"<{rows * columns}H", entry, 32 + 4 * (rows + columns))
    for index, value in enumerate(values):
        row, column = divmod(index, columns)
        yield (initiators[row], targets[column]), value * unit


def _entries(table: bytes, at: int, head: str) -> Iterator[tuple[int, bytes]]:
    """Type and bytes of each entry; the last word of its head is its length."""
    while at < len(table):
        kind, *_, length = struct.unpack_from(head, table, at)
        assert length > 0
        yield kind, table[at : at + length]
        at += length


def _u32(entry: bytes, at: int) -> int:
    return int.from_bytes(entry[at : at + 4], "little")
