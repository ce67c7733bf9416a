# SPDX-License-Identifier: Apache-2.0
"""Functions, files and lines of addresses in a kernel, by addr2line(1) of binutils: pyelftools takes seconds
for what this does in ten milliseconds.
"""

import re
import subprocess
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

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
    command = ["addr2line", "--addresses", "--functions", "--inlines", f"--exe={elf}"]
    asked = "".join(f"{address:#x}\n" for address in wanted)
    try:
        done = subprocess.run(
            command, input=asked, capture_output=True, text=True, errors="replace", timeout=DEADLINE_S
        )
    except (OSError, subprocess.TimeoutExpired):
        return {}
    found: dict[int, tuple[Place, ...]] = {}
    for part in re.split(r"^(?=0x[0-9a-f]{16}$)", done.stdout, flags=re.MULTILINE):
        address, *lines = part.splitlines() or [""]
        places = [_place(name, at) for name, at in zip(lines[0::2], lines[1::2], strict=False)]
        if places and places[-1].function != UNKNOWN:
            inlined = [place._replace(inlined=True) for place in places[:-1]]
            found[int(address, 16)] = (*inlined, places[-1])
    return found


def _place(function: str, at: str) -> Place:
    match = _LINE.match(at)
    if match is None or match[1] == UNKNOWN or match[2] in ("?", "0"):
        return Place(function, "", 0)
    return Place(function, match[1], int(match[2]))
