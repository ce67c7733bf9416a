# SPDX-License-Identifier: Apache-2.0
"""Backtraces of a Linux that was built with frame pointers and without debug information.

gdb's own way expects a function to set up its frame first; Linux's compiler may do that later, or not at all.
Linux arch/x86/include/asm/frame.h has how the entry code marks the registers that it saved.
"""

import gdb

from orchestrator.in_gdb import reading
from orchestrator.in_gdb.linux_unwinder import RBP, RIP, RSP, Caller, LinuxUnwinder

SETS_UP_FRAME = b"\x48\x89\xe5"  # mov %rsp,%rbp, somewhere behind a push %rbp
FUNCTION_MAX = 1 << 16  # bytes of one that are searched


class FramePointerUnwinder(LinuxUnwinder):
    """For addresses in the kernel's own text, `text`, and in that of its start, `init`."""

    def __init__(self, text: range, init: range) -> None:
        super().__init__("Linux frame pointers")
        self._text, self._init = text, init

    def find(self, pc: int, sp: int, bp: int) -> Caller | None:
        return self._find(pc, sp, bp) if pc in self._text or pc in self._init else None

    def find_in_module(self, pc: int, sp: int, bp: int) -> Caller | None:
        is_known = gdb.find_pc_line(pc).symtab is not None  # the kernel itself has no lines
        return self._find(pc, sp, bp) if is_known else None

    def _find(self, pc: int, sp: int, bp: int) -> Caller:
        if bp & 1:
            places = {"rip": RIP, "rsp": RSP, "rbp": RBP}
            return Caller({name: reading.word(bp - 1 + 8 * place) for name, place in places.items()}, False)
        if self._has_frame(pc):
            return Caller({"rip": reading.word(bp + 8), "rsp": bp + 16, "rbp": reading.word(bp)}, True)
        return Caller({"rip": reading.word(sp), "rsp": sp + 8, "rbp": bp}, True)

    def _has_frame(self, pc: int) -> bool:
        """Whether the function has set up its frame before it came here."""
        if pc in self._init:
            return True  # as all that call others; Linux has given back the memory where one could look
        name, _, rest = reading.symbol(pc).partition("+")
        start = pc - int(rest or 0) if not name.startswith("0x") else pc
        return SETS_UP_FRAME in reading.memory(start, min(pc - start, FUNCTION_MAX)) if pc > start else False


def of_kernel() -> LinuxUnwinder | None:
    """None without the kernel's symbols."""
    try:
        text, init = (range(_address(f"_s{name}"), _address(f"_e{name}")) for name in ("text", "inittext"))
    except gdb.error:
        return None
    return FramePointerUnwinder(text, init)


def _address(symbol: str) -> int:
    return int(gdb.parse_and_eval(f"(unsigned long)&{symbol}"))
