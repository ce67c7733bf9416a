# SPDX-License-Identifier: Apache-2.0
"""A guest's RAM in a file, with page tables and stacks that a test puts there."""

import os
import struct
from collections.abc import Iterator
from contextlib import contextmanager

from orchestrator.guest_memory import AddressSpace, GuestMemory, Range
from orchestrator.registers import Cpu, Table

SIZE = 1 << 20
ROOT = 0x1000
PRESENT, LARGE = 1, 1 << 7


def cpu(**words: int) -> Cpu:
    """In long mode, with page tables at ROOT."""
    base = {"cr0": 1 << 31, "cr3": ROOT, "cr4": 0, "efer": 1 << 10, "rip": 0, "rsp": 0, "rbp": 0, "rfl": 2}
    tables = (Table(0, 0xFFF), Table(0, 0x27), Table(0, 0x67))
    return Cpu(0, base | words, *tables)


class Ram:
    """Guest-physical addresses from 0; page tables are made from 0x2000 on."""

    def __init__(self, descriptor: int) -> None:
        self.descriptor = descriptor
        self.memory = GuestMemory([Range(0, SIZE, descriptor, 0)])
        self._next = ROOT + 0x1000

    def write(self, address: int, data: bytes) -> None:
        os.pwrite(self.descriptor, data, address)

    def words(self, address: int, *values: int) -> None:
        self.write(address, struct.pack(f"<{len(values)}Q", *values))

    def map(self, address: int, phys: int, level: int = 0) -> None:
        """A page of 4 KiB, or at level 1 of 2 MiB, at 2 of 1 GiB."""
        table = ROOT
        for at in (3, 2, 1, 0):
            entry = table + (address >> (12 + 9 * at) & 0x1FF) * 8
            if at == level:
                self.words(entry, phys | PRESENT | (LARGE if level else 0))
                return
            found = int.from_bytes(self.memory.read(entry, 8), "little")
            if not found:
                found = self._next | PRESENT
                self._next += 0x1000
                self.words(entry, found)
            table = found & ~0xFFF

    def space(self, **words: int) -> AddressSpace:
        return AddressSpace(self.memory, cpu(**words))


@contextmanager
def ram() -> Iterator[Ram]:
    descriptor = os.memfd_create("ram")
    try:
        os.ftruncate(descriptor, SIZE)
        yield Ram(descriptor)
    finally:
        os.close(descriptor)
