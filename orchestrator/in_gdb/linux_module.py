# SPDX-License-Identifier: Apache-2.0
"""Where a Linux that runs has loaded a module, found in its memory by the module's own debug information."""

from collections.abc import Iterator
from pathlib import Path

import gdb

from orchestrator.in_gdb import reading
from orchestrator.in_gdb.linux_unwinder import LinuxUnwinder

MODULES_MAX = 1000
# include/linux/module.h: after `enum module_state state` come `list` and `name`.
LIST_OFFSET = 8
NAME_OFFSET = 24
NAME_SIZE = 56


def load_symbols(module: Path, unwinder: LinuxUnwinder | None) -> None:
    """Has gdb know the module's symbols, and `unwinder` its frames, if the kernel has loaded it by now."""
    if not module.exists():
        return
    for objfile in gdb.objfiles():
        if objfile.filename == str(module):
            return
    at = _find(module.stem)
    if at is None:
        gdb.write(f"{module.name} is not loaded (yet): `enclave attach` after a `detach` looks again\n")
        return
    sections = _sections(module, at)
    text = sections.pop(".text", None)
    if text is not None:
        others = "".join(f" -s {name} {address:#x}" for name, address in sections.items())
        gdb.execute(f"add-symbol-file {module} {text:#x}{others}", to_string=True)
        if unwinder is not None:
            unwinder.add_module(_struct_module(at))


def _find(name: str) -> int | None:
    """The address of its struct module."""
    try:
        head = int(gdb.parse_and_eval("(unsigned long)&modules"))
        at = reading.word(head)
        for _ in range(MODULES_MAX):
            if at == head:
                return None
            found = at - LIST_OFFSET
            if reading.memory(found + NAME_OFFSET, NAME_SIZE).partition(b"\0")[0].decode() == name:
                return found
            at = reading.word(at)
    except (gdb.error, gdb.GdbError, UnicodeDecodeError):
        pass  # nothing is mapped before the kernel has begun
    return None


def _struct_module(at: int) -> gdb.Value:
    return gdb.Value(at).cast(gdb.lookup_type("struct module").pointer()).dereference()


def _sections(module: Path, at: int) -> dict[str, int]:
    """Its sections' addresses, as sysfs has them: struct module is in its own debug information."""
    gdb.execute(f"add-symbol-file {module} 0", to_string=True)
    try:
        attributes = _struct_module(at)["sect_attrs"]
        return dict(_attributes(attributes)) if int(attributes) else {}
    finally:
        gdb.execute(f"remove-symbol-file {module}", to_string=True)


def _attributes(attributes: gdb.Value) -> Iterator[tuple[str, int]]:
    """Of a struct module_sect_attrs, which kernel/module/sysfs.c keeps to itself: a group, a count, and for
    each section a file and an address."""
    at = int(attributes) + gdb.lookup_type("struct attribute_group").sizeof
    file = gdb.lookup_type("struct bin_attribute")
    for index in range(reading.word(at) & 0xFFFFFFFF):
        each = at + 8 + index * (file.sizeof + 8)
        name = gdb.Value(each).cast(file.pointer())["attr"]["name"].string()
        yield name, reading.word(each + file.sizeof)
