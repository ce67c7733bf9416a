# SPDX-License-Identifier: Apache-2.0
"""The registers of a machine's CPUs, out of QEMU's `info registers -a` (target/i386/cpu-dump.c). Pure."""

import re
from collections.abc import Mapping
from typing import NamedTuple

_CPU = re.compile(r"^CPU#(\d+)\s*$", re.MULTILINE)
_WORD = re.compile(r"\b(R[A-Z0-9]{1,2}|E(?:[ABCD]X|[SD]I|[BS]P|IP|FL)|CR[0-4]|CPL|HLT|EFER) *=([0-9a-f]+)")
_TABLE = re.compile(r"^(GDT|IDT)= +([0-9a-f]+) ([0-9a-f]+)", re.MULTILINE)
_SEGMENT = re.compile(r"^(CS|TR) =([0-9a-f]{4}) ([0-9a-f]+) ([0-9a-f]+)", re.MULTILINE)
# Which a person is shown, in this order.
_NAMES = "rip rsp rbp rax rbx rcx rdx rsi rdi r8 r9 r10 r11 r12 r13 r14 r15"
GENERAL = tuple(_NAMES.split())

INTERRUPTS_ENABLED = 1 << 9  # RFLAGS.IF
LONG_MODE_ACTIVE = 1 << 10  # EFER.LMA


class Table(NamedTuple):
    """Of descriptors: `limit` is the offset of its last byte."""

    base: int
    limit: int


class Cpu(NamedTuple):
    """`number` is QEMU's of the CPU; `words` has its registers, by their 64-bit names in small letters."""

    number: int
    words: Mapping[str, int]
    idt: Table
    gdt: Table
    tss: Table

    @property
    def rip(self) -> int:
        return self.words.get("rip", 0)

    @property
    def halted(self) -> bool:
        return self.words.get("hlt", 0) != 0

    @property
    def in_user_mode(self) -> bool:
        return self.words.get("cpl", 0) == 3

    @property
    def interrupts_off(self) -> bool:
        return not self.words.get("rfl", 0) & INTERRUPTS_ENABLED

    @property
    def in_long_mode(self) -> bool:
        return bool(self.words.get("efer", 0) & LONG_MODE_ACTIVE)


def parse_registers(text: str) -> list[Cpu]:
    """The CPUs that are in the text; what it does not say of one is missing in its words."""
    pieces = _CPU.split(text.replace("\r", ""))
    return [_parse(int(index), body) for index, body in zip(pieces[1::2], pieces[2::2], strict=True)]


def _parse(index: int, text: str) -> Cpu:
    words = {_long(name): int(value, 16) for name, value in _WORD.findall(text)}
    tables = {name: Table(int(base, 16), int(limit, 16)) for name, base, limit in _TABLE.findall(text)}
    task = {name: Table(int(base, 16), int(limit, 16)) for name, _, base, limit in _SEGMENT.findall(text)}
    none = Table(0, 0)
    return Cpu(index, words, tables.get("IDT", none), tables.get("GDT", none), task.get("TR", none))


def _long(name: str) -> str:
    """A CPU in a mode of 32 bits has EIP for RIP."""
    name = name.lower()
    return f"r{name[1:]}" if name.startswith("e") and name != "efer" else name
