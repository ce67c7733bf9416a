# SPDX-License-Identifier: Apache-2.0
"""Why a CPU could not take an exception, which makes a triple fault (SDM 3A, 6.15, "Double Fault"). Pure.

QEMU tells of a triple fault as it does of any reset. What tells them apart is left in the CPU, which stands
still at the instruction: the way of a double fault from there to its handler is broken, and here is where.
"""

from collections.abc import Callable

from orchestrator.guest_memory import Unmapped
from orchestrator.registers import Cpu

DOUBLE_FAULT = 8
GATE_SIZE = 16
GATE_TYPES = (0xE, 0xF)  # interrupt and trap gate
PRESENT = 0x80
FIRST_STACK_IN_TSS = 0x24  # IST1
FRAME_SIZE = 48  # what the CPU pushes: five words and the error code
Read = Callable[[int, int], bytes]  # address, bytes


def no_way_to_handler(cpu: Cpu, read: Read | None) -> str:
    """Why this CPU cannot take a double fault, in words; "" if it can, or if that cannot be seen.

    `read` reads memory as the CPU does, and raises Unmapped; without it only the registers are looked at.
    """
    if not cpu.in_long_mode:
        return ""
    at = cpu.idt.base + DOUBLE_FAULT * GATE_SIZE
    if cpu.idt.limit < (DOUBLE_FAULT + 1) * GATE_SIZE - 1:
        return f"its IDT at {cpu.idt.base:#x} ends at byte {cpu.idt.limit:#x}, before the double fault's gate"
    if read is None:
        return ""
    try:
        gate = read(at, GATE_SIZE)
    except Unmapped:
        return f"its IDT at {cpu.idt.base:#x} is not mapped"
    if not gate[5] & PRESENT or gate[5] & 0xF not in GATE_TYPES:
        return f"the double fault's gate in its IDT at {cpu.idt.base:#x} is none: {gate.hex(' ')}"
    return _no_handler(gate, read) or _no_stack(cpu, gate[4] & 7, read)


def _no_handler(gate: bytes, read: Read) -> str:
    address = int.from_bytes(gate[0:2] + gate[6:12], "little")
    try:
        read(address, 1)
    except Unmapped:
        return f"the double fault's handler at {address:#x} is not mapped"
    return ""


def _no_stack(cpu: Cpu, number: int, read: Read) -> str:
    """Handlers run on the stack that was in use, or on one of those that the TSS names."""
    top, what = cpu.words.get("rsp", 0), "stack"
    if number:
        what = f"stack IST{number}"
        try:
            top = int.from_bytes(read(cpu.tss.base + FIRST_STACK_IN_TSS + (number - 1) * 8, 8), "little")
        except Unmapped:
            return f"its TSS at {cpu.tss.base:#x} is not mapped"
    top &= -16
    try:
        read(top - FRAME_SIZE, FRAME_SIZE)
    except Unmapped:
        return f"the double fault's {what} below {top:#x} is not mapped"
    return ""
