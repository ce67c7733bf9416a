# SPDX-License-Identifier: Apache-2.0
"""Reads a kernel's variables and memory through gdb, whatever it looks at: a machine or a dump."""

import struct
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from typing import ClassVar

import gdb

READ_MAX = 1 << 16  # bytes asked for at once


class Command(gdb.Command):
    """A command of ours. What cannot be read is told in one line, without a traceback."""

    name: ClassVar[str]

    def __init__(self) -> None:
        super().__init__(self.name, gdb.COMMAND_DATA)

    def invoke(self, argument: str, from_tty: bool) -> None:
        try:
            self.run(argument.strip())
        except gdb.error as error:
            raise gdb.GdbError(f"{self.name}: {error}") from None

    def run(self, argument: str) -> None:
        raise NotImplementedError


def variable(name: str, what: str) -> gdb.Value:
    """A global, such as `cpus` or `'kernel/log.c'::kept`. Raises GdbError without the symbols of `what`."""
    try:
        return gdb.parse_and_eval(name)
    except gdb.error:
        raise gdb.GdbError(f"there is no {name}: are these the symbols of {what}?") from None


def memory(address: int, size: int) -> bytes:
    """Raises GdbError if it cannot be read."""
    inferior = gdb.selected_inferior()
    try:
        return b"".join(
            bytes(inferior.read_memory(at, min(READ_MAX, address + size - at)))
            for at in range(address, address + size, READ_MAX)
        )
    except gdb.MemoryError as error:
        raise gdb.GdbError(f"cannot read {size} bytes at {address:#x}: {error}") from None


def word(address: int) -> int:
    """The 64 bits there."""
    return int(struct.unpack("<Q", memory(address, 8))[0])


def address(value: gdb.Value) -> int:
    """Of something that lies in memory."""
    assert value.address is not None
    return int(value.address)


def numbers(array: gdb.Value) -> tuple[int, ...]:
    """Of an array of unsigned 32-bit numbers, read at once."""
    return struct.unpack(f"<{array.type.sizeof // 4}I", memory(address(array), array.type.sizeof))


def c_string(value: gdb.Value) -> str:
    """Of an array of char, up to its NUL."""
    return value.string(errors="replace")


def symbol(address: int) -> str:
    """`work_run_queued+5`, or the address itself."""
    text = gdb.execute(f"info symbol {address:#x}", to_string=True)
    name, _, rest = text.partition(" in section ")
    return f"{address:#x}" if not rest else name.replace(" + ", "+")


def linked(first: gdb.Value, field: str) -> Iterator[gdb.Value]:
    """The structures of a list that ends with a null pointer; nonsense ends where it repeats itself."""
    seen: set[int] = set()
    at = first
    while int(at) and int(at) not in seen:
        seen.add(int(at))
        yield at.dereference()
        at = at.dereference()[field]


def enumerators(name: str, prefix: str) -> dict[int, str]:
    """The constants of `enum name`, by value, without their prefix."""
    fields = gdb.lookup_type(f"enum {name}").fields()
    return {field.enumval: str(field.name).removeprefix(prefix) for field in fields}


def threads() -> list[gdb.InferiorThread]:
    """A CPU each, in QEMU's order."""
    return sorted(gdb.selected_inferior().threads(), key=lambda thread: thread.num)


@contextmanager
def looking_elsewhere() -> Iterator[None]:
    """Whoever selects other threads in here leaves no trace of that."""
    thread = gdb.selected_thread()
    frame = gdb.selected_frame() if thread else None
    try:
        yield
    finally:
        if thread is not None and thread.is_valid():
            thread.switch()
            if frame is not None and frame.is_valid():
                frame.select()


def frames() -> list[gdb.Frame]:
    """Of the selected thread, the innermost first."""
    found = []
    frame: gdb.Frame | None = gdb.newest_frame()
    while frame is not None:
        found.append(frame)
        try:
            frame = frame.older()
        except gdb.error:
            break
    return found


def table(header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    """Writes columns; a number stands at the right of its own."""
    shown = [[str(cell) for cell in row] for row in rows]
    numeric = [all(row[at].isdigit() for row in shown) for at in range(len(header))]
    widths = [max(len(line[at]) for line in [list(header), *shown]) for at in range(len(header))]
    for line in [list(header), *shown]:
        cells = [
            cell.rjust(width) if right else cell.ljust(width)
            for cell, width, right in zip(line, widths, numeric, strict=True)
        ]
        gdb.write("  ".join(cells).rstrip() + "\n")
