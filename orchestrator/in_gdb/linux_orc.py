# SPDX-License-Identifier: Apache-2.0
"""Backtraces of a Linux without debug information, by the ORC tables that it carries for its own.

Linux Documentation/x86/orc-unwinder.rst, and arch/x86/include/asm/orc_types.h as of 6.1.
"""

import struct
from typing import NamedTuple

import gdb

from orchestrator.in_gdb import reading
from orchestrator.in_gdb.linux_unwinder import RBP, RIP, RSP, Caller, LinuxUnwinder

ENTRY = struct.Struct("<hhBB")  # sp_offset, bp_offset; registers, 4 bits each; type, 2 bits
SP, BP, BP_INDIRECT, SP_INDIRECT = 5, 4, 8, 9
PREVIOUS_SP = 1
CALL, REGS, REGS_PARTIAL = 0, 1, 2
# In struct pt_regs, in words; of REGS_PARTIAL there is only what the CPU itself pushed, from rip on.
SAVED = {"r15": 0, "r14": 1, "r13": 2, "r12": 3, "rbp": RBP, "rbx": 5}


class _Entry(NamedTuple):
    sp_offset: int
    bp_offset: int
    sp_register: int
    bp_register: int
    kind: int


class _Table:
    """`count` entries, and as many addresses that they begin at."""

    def __init__(self, begins: int, count: int, entries: int) -> None:
        self._begins, self._count, self._entries = begins, count, entries

    def find(self, pc: int) -> _Entry | None:
        """The last entry at or before the address: they are sorted."""
        if not self._count or pc < self._address(0) or pc > self._address(self._count - 1):
            return None
        low, high = 0, self._count - 1
        while low < high:
            middle = (low + high + 1) // 2
            if self._address(middle) <= pc:
                low = middle
            else:
                high = middle - 1
        raw = reading.memory(self._entries + low * ENTRY.size, ENTRY.size)
        sp_offset, bp_offset, registers, kind = ENTRY.unpack(raw)
        return _Entry(sp_offset, bp_offset, registers & 15, registers >> 4, kind & 3)

    def _address(self, index: int) -> int:
        at = self._begins + 4 * index
        offset: int = struct.unpack("<i", reading.memory(at, 4))[0]
        return at + offset


class OrcUnwinder(LinuxUnwinder):
    def __init__(self, kernel: _Table) -> None:
        super().__init__("Linux ORC")
        self._kernel = kernel
        self._module: _Table | None = None

    def add_module(self, module: gdb.Value) -> None:
        of_machine = module["arch"]
        self._module = _Table(
            int(of_machine["orc_unwind_ip"]), int(of_machine["num_orcs"]), int(of_machine["orc_unwind"])
        )

    def find(self, pc: int, sp: int, bp: int) -> Caller | None:
        return self._find(self._kernel, pc, sp, bp)

    def find_in_module(self, pc: int, sp: int, bp: int) -> Caller | None:
        return self._find(self._module, pc, sp, bp) if self._module else None

    def _find(self, table: _Table, pc: int, sp: int, bp: int) -> Caller | None:
        entry = table.find(pc)
        if entry is None:
            return None
        cfa = self._frame_address(entry, sp, bp)
        if cfa is None:
            return Caller({"rip": 0, "rsp": sp, "rbp": 0}, False)
        return Caller(self._saved(entry, cfa, bp), entry.kind == CALL)

    def _frame_address(self, entry: _Entry, sp: int, bp: int) -> int | None:
        """Where the caller's stack ends, or what was saved of an interrupted one begins; None: nobody's."""
        bases = {SP: sp, BP: bp, SP_INDIRECT: sp, BP_INDIRECT: bp}
        base = bases.get(entry.sp_register)
        if base is None:
            return None
        if entry.sp_register == SP_INDIRECT:
            return reading.word(base) + entry.sp_offset
        if entry.sp_register == BP_INDIRECT:
            return reading.word(base + entry.sp_offset)
        return base + entry.sp_offset

    def _saved(self, entry: _Entry, cfa: int, bp: int) -> dict[str, int]:
        """The caller's registers."""
        if entry.kind == CALL:
            caller = {"rip": reading.word(cfa - 8), "rsp": cfa}
        elif entry.kind == REGS:
            caller = {name: reading.word(cfa + 8 * at) for name, at in SAVED.items()}
            caller |= {"rip": reading.word(cfa + 8 * RIP), "rsp": reading.word(cfa + 8 * RSP)}
        else:
            caller = {"rip": reading.word(cfa), "rsp": reading.word(cfa + 8 * (RSP - RIP))}
        if entry.kind != REGS:
            bases = {PREVIOUS_SP: cfa, BP: bp}
            base = bases.get(entry.bp_register)
            # What is not said to be saved gdb would take for lost.
            caller["rbp"] = bp if base is None else reading.word(base + entry.bp_offset)
        return caller


def of_kernel() -> LinuxUnwinder | None:
    """None if this kernel has no such tables, or no symbols that tell where they are."""
    try:
        begin, end, entries = (
            int(gdb.parse_and_eval(f"(unsigned long)&{name}"))
            for name in ("__start_orc_unwind_ip", "__stop_orc_unwind_ip", "__start_orc_unwind")
        )
    except gdb.error:
        return None
    return OrcUnwinder(_Table(begin, (end - begin) // 4, entries))
