# SPDX-License-Identifier: Apache-2.0
"""What all ways through Linux's stacks have in common: linux_orc.py and linux_frames.py."""

from typing import NamedTuple

import gdb
from gdb.unwinder import Unwinder

RBP, RIP, RSP = 4, 16, 19  # in struct pt_regs, in words


class Caller(NamedTuple):
    """A frame's caller. `called`: it was not interrupted. rip is 0 if there is none."""

    registers: dict[str, int]
    called: bool


class _FrameId(NamedTuple):
    sp: gdb.Value
    pc: gdb.Value


class LinuxUnwinder(Unwinder):
    def __init__(self, name: str) -> None:
        super().__init__(name)
        # By rip and rsp of a frame, as long as nothing runs:
        self._callers: set[tuple[int, int]] = set()  # they made a call
        self._raised: dict[tuple[int, int], int] = {}  # by how much their stack is told to be higher
        gdb.events.cont.connect(self._forget)

    def find(self, pc: int, sp: int, bp: int) -> Caller | None:
        """The caller of a frame of the kernel's own; None: it is none. Raises GdbError without its stack."""
        raise NotImplementedError

    def find_in_module(self, pc: int, sp: int, bp: int) -> Caller | None:
        """The same, of a frame of a module whose symbols gdb has."""
        raise NotImplementedError

    def add_module(self, module: gdb.Value) -> None:
        """Its struct module. For those that need it to find frames of a module."""

    def _forget(self, event: gdb.ThreadEvent) -> None:
        self._callers.clear()
        self._raised.clear()

    def __call__(self, pending_frame: gdb.PendingFrame) -> gdb.UnwindInfo | None:
        pc, sp, bp = (int(pending_frame.read_register(name)) % (1 << 64) for name in ("rip", "rsp", "rbp"))
        raised = self._raised.get((pc, sp), 0)
        if not pc and raised:
            # Nobody's. gdb wants to know where it is, and goes no further.
            return pending_frame.create_unwind_info(_frame_id(sp + raised, pc))
        try:
            # What stands behind a call that does not return may belong to another function.
            place = (pc - ((pc, sp) in self._callers), sp, bp)
            found = self.find(*place)
            if found is None and raised:
                # gdb knows a module's frames better, but not how much higher their stack has to be.
                found = self.find_in_module(*place)
        except gdb.GdbError:
            return None
        if found is None:
            return None
        caller = (found.registers["rip"], found.registers["rsp"])
        if found.called:
            self._callers.add(caller)
        # gdb takes a caller whose stack is lower for a broken one; interrupts have stacks of their own.
        self._raised[caller] = raised + max(0, sp - caller[1])
        unwound = pending_frame.create_unwind_info(_frame_id(max(sp, caller[1]) + raised, pc))
        for name, value in found.registers.items():
            unwound.add_saved_register(name, _register(value))
        return unwound


def _frame_id(sp: int, pc: int) -> _FrameId:
    return _FrameId(_register(sp), _register(pc))


def _register(number: int) -> gdb.Value:
    return gdb.Value(number % (1 << 64)).cast(gdb.lookup_type("unsigned long"))
