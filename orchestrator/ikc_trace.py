# SPDX-License-Identifier: Apache-2.0
"""Reads the messages that a kernel saw pass, out of the region (docs/ikc-protocol.md, "Trace").

The kernel writes over the oldest of its records whether anybody has read them or not; those that were
missed are counted. What is in a record is a guest's word, and is checked by those who show it.
"""

from collections.abc import Iterator
from typing import Any, NamedTuple

from orchestrator.ikc import Region
from orchestrator.ikc_layout import Layout

READ_MAX = 256  # records at a time: this process has others to serve


class Record(NamedTuple):
    """A message; `data` is its first bytes, `time_ns` the kernel's clock, and the rest as in the region."""

    number: int
    time_ns: int
    generation: int
    length: int
    peer: int
    ring: int
    direction: int
    to_port: int
    from_port: int
    data: bytes

    def as_json(self) -> dict[str, Any]:
        return self._asdict() | {"data": self.data.hex()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> "Record":
        return cls(**values | {"data": bytes.fromhex(values["data"])})


class Lost(NamedTuple):
    """So many were overwritten before they could be read."""

    lost: int

    def as_json(self) -> dict[str, Any]:
        return self._asdict()


class TraceReader:
    """From the oldest record that is left, or from those that are written from now on."""

    def __init__(self, region: Region, partition: int, from_now: bool) -> None:
        self._region = region
        self._trace = region.partition(partition).inner("trace")
        self._records = self._trace.span("records")[0]
        self._size = region.layout.structs["ikc_trace_record"].size
        self._count = region.layout.constant("IKC_TRACE_RECORDS")
        written = self._trace.load("written")
        self._at = written if from_now else max(0, written - self._count)

    def read(self) -> list[Record | Lost]:
        """The next that are there, in order, READ_MAX at most; and where some are missing, how many."""
        written = self._trace.load("written")
        if written < self._at:
            self._at = written  # nonsense: it never goes back
        oldest = max(self._at, written - self._count)
        newest = min(written, oldest + READ_MAX)
        lost, found = oldest - self._at, list[Record | Lost]()
        for number in range(oldest, newest):
            record = self._load(number)
            if record is None:
                lost += 1
                continue
            if lost:
                found.append(Lost(lost))
                lost = 0
            found.append(record)
        if lost:
            found.append(Lost(lost))
        self._at = newest
        return found

    @property
    def more(self) -> bool:
        return self._trace.load("written") > self._at

    def rest(self) -> Iterator[list[Record | Lost]]:
        """All that there is, however fast more is written."""
        for _ in range(self._count // READ_MAX):
            yield self.read()

    def _load(self, number: int) -> Record | None:
        """None if it has been overwritten, also meanwhile."""
        begin = self._records + number % self._count * self._size
        before = self._region.load("u64", begin)
        copy = self._region.copy(begin, begin + self._size)
        after = self._region.load("u64", begin)
        if not before == after == (number + 1) % (1 << 64):
            return None
        return _record(self._region.layout, number, copy)


def _record(layout: Layout, number: int, copy: bytes) -> Record:
    words = layout.unpack("ikc_trace_record", copy)
    begin = layout.structs["ikc_trace_record"].fields["data"].offset
    known = {field: words[field] for field in Record._fields if field in words}
    return Record(number=number, data=copy[begin : begin + words["length"]], **known)
