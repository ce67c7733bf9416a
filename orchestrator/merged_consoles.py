# SPDX-License-Identifier: Apache-2.0
"""The serial consoles of all partitions on one clock, out of the logs that console.py keeps."""

import heapq
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.ikc import printable

_STAMPED = re.compile(rb"^\[ *(\d+\.\d+)\] ?(.*)$", re.DOTALL)
# What terminals do with it is of no use in a log: colours, and where the cursor is.
_ESCAPES = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]")


class ConsoleLine(NamedTuple):
    """`t` is seconds since `up`."""

    t: float
    partition: str
    text: str


class Merged(NamedTuple):
    lines: list[ConsoleLine]
    left_out: list[str]


def merge_consoles(logs: Mapping[str, Path], most: Mapping[str, int]) -> Merged:
    """The last lines of each partition's log, `most` bytes of it; what was left out of them, in words."""
    left_out: list[str] = []
    streams = [list(_lines(name, log, most[name], left_out)) for name, log in logs.items()]
    return Merged(list(heapq.merge(*streams, key=lambda line: line.t)), left_out)


def _lines(name: str, log: Path, most: int, left_out: list[str]) -> Iterator[ConsoleLine]:
    try:
        with log.open("rb") as file:
            size = file.seek(0, 2)
            begin = max(0, size - most)
            file.seek(begin)
            pieces = file.read(most).split(b"\n")
    except OSError as error:
        left_out.append(f"console of {name}: {error.strerror}")
        return
    if begin:
        left_out.append(f"console of {name}: its first {begin} bytes")
        del pieces[0]  # the end of a line
    t = 0.0
    for piece in pieces:
        stamped = _STAMPED.match(piece)
        if stamped:
            t, piece = float(stamped[1]), stamped[2]
        text = printable(_ESCAPES.sub(b"", piece).replace(b"\0", b"").replace(b"\r", b"")).rstrip()
        if text:
            yield ConsoleLine(t, name, text)


def as_text(line: ConsoleLine, width: int) -> str:
    return f"{line.t:12.6f}  {line.partition:{width}}  {line.text}"
