# SPDX-License-Identifier: Apache-2.0
"""Symbols of a Linux kernel for gdb, from whatever there is: of Debian's, a file is made of its kallsyms."""

import struct
from pathlib import Path

from elftools.elf.elffile import ELFFile

from orchestrator.debian import write_atomically
from orchestrator.kallsyms import Symbol, read_symbols

DEBUG_PACKAGES = Path("/usr/lib/debug/boot")  # linux-image-*-dbg

_HEADER = struct.Struct("<16sHHIQQQIHHHHHH")
_SECTION = struct.Struct("<IIQQQQIIQQ")
_SYMBOL = struct.Struct("<IBBHQQ")
_SHT_SYMTAB, _SHT_STRTAB, _SHT_NOBITS, _SHF_ALLOC, _SHN_ABS = 2, 3, 8, 2, 0xFFF1
_FUNCTION, _OBJECT, _GLOBAL = 2, 1, 1 << 4


def ensure_symbols(kernel: Path, release: str) -> Path:
    """The file with the most symbols for a kernel that QEMU boots: Debian's debug package if it is installed,
    the vmlinux that it was made from, or one made of its kallsyms, beside it. Raises NoTable."""
    for full in (DEBUG_PACKAGES / f"vmlinux-{release}", kernel.with_name("vmlinux")):
        if full.exists() and full != kernel:
            return full
    made = kernel.with_name(f"{kernel.name}.symbols")
    if not made.exists():
        write_atomically(made, symbol_file(kernel, read_symbols(kernel)))
    return made


def symbol_file(kernel: Path, symbols: list[Symbol]) -> bytes:
    """An ELF file with the sections of a kernel, without what is in them, and a table of symbols."""
    with kernel.open("rb") as file:
        sections = [
            (section["sh_addr"], section["sh_size"], section["sh_flags"], section.name)
            for section in ELFFile(file).iter_sections()
            if section["sh_flags"] & _SHF_ALLOC and section["sh_addr"]
        ]
    names, texts = bytearray(b"\0"), bytearray(b"\0")
    table = bytearray(_SYMBOL.size)
    for symbol in sorted(symbols, key=lambda each: each.kind.isupper()):
        within = (
            number
            for number, (start, size, _, _) in enumerate(sections, 1)
            if start <= symbol.address < start + size
        )
        info = (_FUNCTION if symbol.is_function else _OBJECT) | (_GLOBAL if symbol.kind.isupper() else 0)
        table += _SYMBOL.pack(len(texts), info, 0, next(within, _SHN_ABS), symbol.address, 0)
        texts += symbol.name.encode() + b"\0"
    first_global = 1 + sum(not symbol.kind.isupper() for symbol in symbols)

    headers = [bytes(_SECTION.size)]
    for start, size, flags, name in sections:
        headers.append(_SECTION.pack(len(names), _SHT_NOBITS, flags, start, 0, size, 0, 0, 1, 0))
        names += name.encode() + b"\0"
    contents, at = bytearray(), _HEADER.size
    strings = len(sections) + 2
    for kind, name, data, link, info, entry in (
        (_SHT_SYMTAB, ".symtab", table, strings, first_global, _SYMBOL.size),
        (_SHT_STRTAB, ".strtab", texts, 0, 0, 0),
        (_SHT_STRTAB, ".shstrtab", names, 0, 0, 0),
    ):
        name_at = len(names)
        names += name.encode() + b"\0"
        headers.append(
            _SECTION.pack(name_at, kind, 0, 0, at + len(contents), len(data), link, info, 8, entry)
        )
        contents += data + bytes(-len(data) % 8)
    ident = b"\x7fELF\2\1\1".ljust(16, b"\0")
    header = _HEADER.pack(
        ident,
        2,
        62,
        1,
        0,
        0,
        at + len(contents),
        0,
        _HEADER.size,
        0,
        0,
        _SECTION.size,
        len(headers),
        strings + 1,
    )
    return header + bytes(contents) + b"".join(headers)
