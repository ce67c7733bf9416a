# SPDX-License-Identifier: Apache-2.0
"""The table that a Linux image carries of its symbols, as scripts/kallsyms.c of 6.1 writes it."""

import struct
from collections.abc import Sequence

from orchestrator.kallsyms import Symbol

BASE = 0xFFFF_FFFF_8100_0000
TOKENS = [bytes([code]) if 0x20 < code < 0x7F else b"" for code in range(256)]
LONG_TOKENS = (0, 128, 200)
TOKENS[0], TOKENS[128], TOKENS[200] = b"func", b"schedule", b"tion_"


def table(symbols: Sequence[Symbol], with_order: bool = True) -> bytes:
    """To lie at a multiple of 8."""
    entries = [_encode(each.kind + each.name) for each in symbols]
    markers = [sum(map(len, entries[:at])) for at in range(0, len(symbols), 256)]
    index = [sum(len(token) + 1 for token in TOKENS[:at]) for at in range(256)]
    parts = (
        b"".join(struct.pack("<i", _offset(each.address)) for each in symbols),
        struct.pack("<Q", BASE),
        struct.pack("<I", len(symbols)),
        b"".join(entries),
        struct.pack(f"<{len(markers)}I", *markers),
        b"".join(struct.pack(">I", at)[1:] for at in range(len(symbols))) if with_order else b"",
        b"".join(token + b"\0" for token in TOKENS),
        struct.pack("<256H", *index),
    )
    return b"".join(map(aligned, parts))


def aligned(data: bytes) -> bytes:
    return data + bytes(-len(data) % 8)


def _offset(address: int) -> int:
    return address if address < BASE else BASE - 1 - address


def _encode(name: str) -> bytes:
    text = name.encode()
    out = b""
    while text:
        token = next((at for at in LONG_TOKENS if text.startswith(TOKENS[at])), text[0])
        out += bytes([token])
        text = text[len(TOKENS[token]) :]
    size = bytes([len(out)]) if len(out) < 0x80 else bytes([len(out) & 0x7F | 0x80, len(out) >> 7])
    return size + out
