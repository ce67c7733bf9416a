# SPDX-License-Identifier: Apache-2.0
"""Functions, files and lines of addresses in a kernel, by addr2line(1) of binutils: of debug information,
pyelftools makes in seconds what this makes in ten milliseconds.
"""

import os
import re
import subprocess
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import NamedTuple

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.sections import SymbolTableSection

DEADLINE_S = 20.0
UNKNOWN = "??"
_LINE = re.compile(r"^(.*):(\d+|\?)(?: \(discriminator \d+\))?$")


class Place(NamedTuple):
    """`file` is "" and `line` 0 where that is not known; `inlined` into the place that comes next."""

    function: str
    file: str
    line: int
    inlined: bool = False


def find_places(elf: Path, addresses: Iterable[int]) -> dict[int, tuple[Place, ...]]:
    """Of each address that has a name: the place, before it those inlined there, innermost first.

    Empty if the file has no symbols, cannot be read, or there is no addr2line.
    """
    wanted = sorted(set(addresses))
    if not wanted:
        return {}
    found: dict[int, tuple[Place, ...]] = {}
    for part in re.split(r"^(?=0x[0-9a-f]{16}$)", _ask(elf, map(hex, wanted)), flags=re.MULTILINE):
        address, *lines = part.splitlines() or [""]
        places = _places(lines)
        if places:
            found[int(address, 16)] = places
    return found


def find_place(elf: Path, function: str, offset: int) -> tuple[Place, ...]:
    """The same of a place in a function, of a file that has no addresses yet, as a module has none."""
    try:
        with elf.open("rb") as file:
            section, value = _symbol(ELFFile(file), function)
    except (OSError, ELFError, LookupError):
        return ()
    return _places(_ask(elf, [hex(value + offset)], f"--section={section}").splitlines()[1:])


def _symbol(elf: ELFFile, name: str) -> tuple[str, int]:
    """The section that it is in, and where. Raises LookupError."""
    table = elf.get_section_by_name(".symtab")
    found = table.get_symbol_by_name(name) if isinstance(table, SymbolTableSection) else None
    for symbol in found or ():
        if isinstance(symbol["st_shndx"], int):
            return elf.get_section(symbol["st_shndx"]).name, symbol["st_value"]
    raise LookupError(name)


def _ask(elf: Path, addresses: Iterable[str], *options: str) -> str:
    command = ["addr2line", "--addresses", "--functions", "--inlines", f"--exe={elf}", *options]
    asked = "".join(f"{address}\n" for address in addresses)
    try:
        return subprocess.run(
            command, input=asked, capture_output=True, text=True, errors="replace", timeout=DEADLINE_S
        ).stdout
    except (OSError, subprocess.TimeoutExpired):
        return ""


def _places(lines: Sequence[str]) -> tuple[Place, ...]:
    """The outermost last; none if that has no name."""
    places = [_place(name, at) for name, at in zip(lines[0::2], lines[1::2], strict=False)]
    if not places or places[-1].function == UNKNOWN:
        return ()
    return (*(place._replace(inlined=True) for place in places[:-1]), places[-1])


def _place(function: str, at: str) -> Place:
    match = _LINE.match(at)
    if match is None or match[1] == UNKNOWN or match[2] in ("?", "0"):
        return Place(function, "", 0)
    return Place(function, os.path.normpath(match[1]), int(match[2]))
