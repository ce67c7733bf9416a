# SPDX-License-Identifier: Apache-2.0
"""The symbols of a Linux kernel, out of the table that it carries in itself: Debian's is stripped of all
else. Linux 6.1: scripts/kallsyms.c writes the table, kernel/kallsyms.c reads it.

    offsets      i32 each      below 0: relative_base - 1 - offset; else an address by itself
    relative_base u64
    num_syms     u32
    names        each a length and so many numbers of tokens; the first character is the type, as of nm(1)
    markers      u32 each      offset in names of every 256th
    (in some versions of 6.1: the order of the names, three bytes each)
    token_table  256 texts, each with a NUL
    token_index  u16 each      offset in token_table

Each begins at a multiple of 8, and none has a name: they are found by what they look like.
"""

import struct
from bisect import bisect_right
from collections.abc import Iterable, Iterator, Sequence
from itertools import accumulate
from pathlib import Path
from typing import NamedTuple

from orchestrator.errors import EnclaveError
from orchestrator.symbols import Place

TOKENS = 256
TOKENS_REACH = 1 << 13  # bytes that they have room in
GROUP = 256  # symbols for each marker
DIGITS = b"".join(b"%d\0" % digit for digit in range(10))  # tokens of one character stand for themselves
LONG = 0x80  # in a length: a second byte follows
END_OF_TEXT = "_etext"
FUNCTION_KINDS = frozenset("tTwW")
RELATIVE_BASE = 0xFFFF_FFFF_8100_0000  # of a kernel that was not moved: KASLR needs a bzImage
MODULES = (0xFFFF_FFFF_A000_0000, 0xFFFF_FFFF_FF00_0000)  # where they begin without KASLR: mm.rst


class NoTable(EnclaveError):
    """The file has no such table, or one of another kernel's making."""


class Symbol(NamedTuple):
    """`kind` is a letter as of nm(1). Of what is in per-CPU memory, the address is the offset there."""

    address: int
    kind: str
    name: str

    @property
    def is_function(self) -> bool:
        return self.kind in FUNCTION_KINDS and self.address >= RELATIVE_BASE


class Kallsyms:
    """Made by `read_kallsyms`."""

    def __init__(self, symbols: list[tuple[int, str]]) -> None:
        symbols.sort()
        self._addresses = [address for address, _ in symbols]
        self._names = [name for _, name in symbols]

    def name_of(self, address: int) -> str:
        """The function that an address is in, "" if in none."""
        at = bisect_right(self._addresses, address) - 1
        # Behind the end of the text comes data, and the last symbol has no end.
        inside = 0 <= at < len(self._names) - 1 and self._names[at] != END_OF_TEXT
        return self._names[at] if inside else ""

    def is_code(self, address: int) -> bool:
        return bool(self.name_of(address))

    def places(self, addresses: Iterable[int]) -> dict[int, tuple[Place, ...]]:
        found: dict[int, tuple[Place, ...]] = {}
        for address in addresses:
            name = self.name_of(address)
            if not name and MODULES[0] <= address < MODULES[1]:
                name = "a module"
            if name:
                found[address] = (Place(name, "", 0),)
        return found


def read_kallsyms(vmlinux: Path) -> Kallsyms:
    """Raises NoTable, or OSError if the file cannot be read."""
    return Kallsyms([(each.address, each.name) for each in read_symbols(vmlinux) if each.is_function])


def read_symbols(vmlinux: Path) -> list[Symbol]:
    """All, in the table's order. Raises NoTable, or OSError if the file cannot be read."""
    image = vmlinux.read_bytes()
    found = _find_tokens(image)
    if not found:
        raise NoTable(f"{vmlinux} carries no table of symbols", "Linux has one if CONFIG_KALLSYMS is set")
    table, tokens = found
    names = _find_names(image, table)
    symbols = list(_symbols(image, tokens, *names)) if names else []
    if not any(each.is_function for each in symbols):
        raise NoTable(
            f"the table of symbols in {vmlinux} is of an unknown make", "that of Linux 6.1 is known"
        )
    return symbols


def _symbols(image: bytes, tokens: Sequence[str], names: int, count: int) -> Iterator[Symbol]:
    offsets = struct.unpack_from(f"<{count}i", image, _offsets(names, count))
    at = names
    for offset in offsets:
        length, at = _length(image, at)
        text = "".join([tokens[token] for token in image[at : at + length]])
        yield Symbol(offset if offset >= 0 else RELATIVE_BASE - 1 - offset, text[:1], text[1:])
        at += length


def _find_tokens(image: bytes) -> tuple[int, list[str]] | None:
    """Where they begin: so many texts before that of the first digit. Others have digits in a row as well."""
    at = image.find(DIGITS)
    while at >= 0:
        begin = at
        for _ in range(ord("0") + 1):
            begin = image.rfind(b"\0", 0, max(begin, 0))
        # What comes before the table need not end in a NUL.
        for table in range((begin + 8) & -8, image.index(b"\0", begin + 1) + 1, 8):
            tokens = image[table : table + TOKENS_REACH].split(b"\0", TOKENS)[:TOKENS]
            if _is_indexed(image, table, tokens):
                return table, [token.decode(errors="replace") for token in tokens]
        at = image.find(DIGITS, at + 1)
    return None


def _is_indexed(image: bytes, table: int, tokens: Sequence[bytes]) -> bool:
    """Whether the index says the same of all the tokens."""
    *begins, size = accumulate((len(token) + 1 for token in tokens), initial=0)
    index = table + size
    return len(begins) == TOKENS and image.startswith(struct.pack("<256H", *begins), index + -index % 8)


def _find_names(image: bytes, tokens: int) -> tuple[int, int] | None:
    """Where the names begin, and how many there are: where the markers that follow them say the same."""
    relative_base = struct.pack("<Q", RELATIVE_BASE)
    at = image.find(relative_base, 0, tokens)
    while at >= 0:
        names, count = at + 16, struct.unpack_from("<Q", image, at + 8)[0]
        if GROUP < count < tokens - at and _offsets(names, count) >= 0 and _fits(image, names, count, tokens):
            return names, count
        at = image.find(relative_base, at + 1, tokens)
    return None


def _offsets(names: int, count: int) -> int:
    """Where they begin."""
    return names - 16 - (count * 4 + 7 & -8)


def _fits(image: bytes, names: int, count: int, end: int) -> bool:
    at, second = names, 0
    for number in range(count):
        if number == GROUP:
            second = at - names
        length, at = _length(image, at)
        at += length
        if not length or at >= end:
            return False
    return struct.unpack_from("<2I", image, at + -at % 8) == (0, second)


def _length(image: bytes, at: int) -> tuple[int, int]:
    """Of the name that begins there, and where its tokens do."""
    length = image[at]
    if length & LONG:
        return length & ~LONG | image[at + 1] << 7, at + 2
    return length, at + 1
