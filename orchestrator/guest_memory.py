# SPDX-License-Identifier: Apache-2.0
"""A partition's RAM, read from outside while its CPUs run, stand still or are gone.

By guest-physical address, and through its page tables (SDM 3A, 4.5). What stands there is a guest's, and may
be nonsense.
"""

import os
from collections.abc import Sequence
from typing import NamedTuple

from orchestrator.registers import Cpu

PAGE_SIZE = 4096
PRESENT, LARGE = 1 << 0, 1 << 7  # bits of a page-table entry
ADDRESS = 0x000F_FFFF_FFFF_F000
FIVE_LEVELS, PAGING = 1 << 12, 1 << 31  # CR4.LA57, CR0.PG


class Range(NamedTuple):
    """Guest-physical RAM: where it begins, its bytes, and the file and offset that hold it."""

    phys: int
    size: int
    descriptor: int
    offset: int


class Unmapped(Exception):
    """There is no memory at that address."""


class GuestMemory:
    """By guest-physical address. The descriptors stay the caller's."""

    def __init__(self, ranges: Sequence[Range]) -> None:
        self._ranges = ranges

    def read(self, address: int, size: int) -> bytes:
        """Raises Unmapped if not all of it is RAM."""
        for each in self._ranges:
            if each.phys <= address and address + size <= each.phys + each.size:
                data = os.pread(each.descriptor, size, each.offset + address - each.phys)
                if len(data) == size:
                    return data
        raise Unmapped(f"no RAM at physical address {address:#x}")


class AddressSpace:
    """As one CPU sees memory."""

    def __init__(self, memory: GuestMemory, cpu: Cpu) -> None:
        self._memory = memory
        self._root = cpu.words.get("cr3", 0) & ADDRESS
        self._levels = 5 if cpu.words.get("cr4", 0) & FIVE_LEVELS else 4
        self._paging = bool(cpu.words.get("cr0", 0) & PAGING)
        # Only the four and five levels of long mode are walked.
        self._walkable = cpu.in_long_mode or not self._paging

    def read(self, address: int, size: int) -> bytes:
        """Raises Unmapped if not all of it is mapped RAM."""
        data = b""
        while size:
            piece = min(size, PAGE_SIZE - address % PAGE_SIZE)
            data += self._memory.read(self.translate(address), piece)
            address, size = address + piece, size - piece
        return data

    def read64(self, address: int) -> int:
        return int.from_bytes(self.read(address, 8), "little")

    def translate(self, address: int) -> int:
        """The physical address. Raises Unmapped, with the address, if there is none."""
        if not self._paging:
            return address
        bits = 12 + 9 * self._levels
        if not self._walkable or (address >> (bits - 1)) not in (0, (1 << (64 - bits + 1)) - 1):
            raise Unmapped(f"{address:#x} is no address of this CPU")
        table = self._root
        for level in range(self._levels - 1, -1, -1):
            shift = 12 + 9 * level
            at = table + (address >> shift & 0x1FF) * 8
            entry = int.from_bytes(self._memory.read(at, 8), "little")
            if not entry & PRESENT:
                raise Unmapped(f"{address:#x} is not mapped")
            if level == 0 or (level <= 2 and entry & LARGE):
                return (entry & ADDRESS & -(1 << shift)) | address & ((1 << shift) - 1)
            table = entry & ADDRESS
        raise AssertionError
