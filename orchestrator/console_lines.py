# SPDX-License-Identifier: Apache-2.0
"""The consoles of several partitions as lines of one text, on one clock. Pure, but for reading logs."""

import heapq
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.ikc import printable

# ECMA-48: control sequences, strings up to their end, and two-character escapes.
_ESCAPES = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[\]P_^X].*?(?:\x07|\x1b\\)|[ -/]*[0-~])", re.DOTALL)
_ERASED = re.compile(r"[^\x08]\x08|^\x08")
_LOGGED = re.compile(rb"\[ *(\d+\.\d{6})\] (.*)", re.DOTALL)


class Line(NamedTuple):
    """`t` is when its first byte came, in seconds since `up`."""

    t: float
    partition: str
    text: str


class Assembler:
    """Lines out of pieces. What has no end of a line yet waits for it, or for `rest`."""

    def __init__(self) -> None:
        self._begun: dict[str, tuple[float, str]] = {}

    @property
    def waiting(self) -> bool:
        return bool(self._begun)

    def take(self, t: float, partition: str, text: str) -> list[Line]:
        since, begun = self._begun.pop(partition, (t, ""))
        first, *more = (begun + text).split("\n")
        texts = [(since, first), *((t, each) for each in more)]
        if texts[-1][1]:
            self._begun[partition] = texts[-1]
        return [Line(at, partition, as_shown(each)) for at, each in texts[:-1]]

    def rest(self) -> list[Line]:
        """What waits, by the time: a prompt has no end, and should be seen."""
        lines = [Line(t, partition, as_shown(text)) for partition, (t, text) in self._begun.items()]
        self._begun.clear()
        return sorted(line for line in lines if line.text)


def as_shown(text: str) -> str:
    """What a terminal would show of a line in the end, without its colours: after returns and backspaces."""
    text = _ESCAPES.sub("", text).rstrip("\r").rpartition("\r")[2]
    while "\b" in text:
        text = _ERASED.sub("", text)
    return printable(text.encode(errors="surrogateescape").replace(b"\0", b"")).rstrip()


def logged(logs: Mapping[str, Path]) -> Iterator[Line]:
    """The console logs of partitions, merged. What cannot be read is left out."""
    yield from heapq.merge(*(_of_log(partition, path) for partition, path in logs.items()))


def _of_log(partition: str, path: Path) -> Iterator[Line]:
    try:
        data = path.read_bytes()
    except OSError:
        return
    yield from _parsed(partition, data.split(b"\n"))


def _parsed(partition: str, lines: Iterable[bytes]) -> Iterator[Line]:
    for line in lines:
        found = _LOGGED.fullmatch(line)
        if found:
            yield Line(float(found[1]), partition, as_shown(found[2].decode(errors="surrogateescape")))
