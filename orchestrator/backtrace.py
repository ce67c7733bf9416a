# SPDX-License-Identifier: Apache-2.0
"""The callers of a CPU's code, out of its registers and its stack. Pure: the user reads memory."""

from collections.abc import Callable
from contextlib import suppress
from typing import NamedTuple

from orchestrator.guest_memory import Unmapped
from orchestrator.registers import Cpu

FRAMES_MAX = 64
STACK_BYTES = 16 << 10  # of a thread in 64-bit Linux: THREAD_SIZE
GUESSES_MAX = 24
Read64 = Callable[[int], int]


class Step(NamedTuple):
    """An address where a CPU is, or will return to; not `sure` if it may only have been left on the stack."""

    address: int
    sure: bool = True


class Chain(NamedTuple):
    """The innermost first; `end` says why there are no more, if not because all were found."""

    steps: tuple[Step, ...]
    end: str = ""


def follow_frames(cpu: Cpu, read64: Read64) -> Chain:
    """By frame pointers, as a kernel that is compiled with -fno-omit-frame-pointer leaves them.

    A function that has not made its frame yet, or never does, would hide its caller: what is on top of the
    stack is that caller then, and may be anything else.
    """
    steps, frame = [Step(cpu.rip)], cpu.words.get("rbp", 0)
    top = cpu.words.get("rsp", frame)
    if top != frame:
        with suppress(Unmapped):
            steps.append(Step(read64(top), sure=False))
    while frame:
        if len(steps) == FRAMES_MAX:
            return Chain(tuple(steps), f"more than {FRAMES_MAX} frames")
        if frame % 8:
            return Chain(tuple(steps), f"{frame:#x} is no frame pointer")
        try:
            frame, address = read64(frame), read64(frame + 8)
        except Unmapped as error:
            return Chain(tuple(steps), str(error))
        if not address:
            break
        steps.append(Step(address))
    return Chain(tuple(steps))


def guess_callers(cpu: Cpu, stack: bytes, is_code: Callable[[int], bool]) -> Chain:
    """What looks like a return address, where there are no frame pointers: some are left-overs."""
    words = (int.from_bytes(stack[at : at + 8], "little") for at in range(0, len(stack) - 7, 8))
    found = [Step(word, sure=False) for word in words if is_code(word)]
    end = f"{len(found) - GUESSES_MAX} more" if len(found) > GUESSES_MAX else ""
    return Chain((Step(cpu.rip), *found[:GUESSES_MAX]), end)


def stack_of(cpu: Cpu) -> tuple[int, int]:
    """Address and bytes of what a Linux thread has on its stack."""
    bottom = cpu.words.get("rsp", 0) & -8
    return bottom, STACK_BYTES - bottom % STACK_BYTES
