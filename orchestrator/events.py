# SPDX-License-Identifier: Apache-2.0
"""What happened in a run, in order: kept, written to events.log, and told to whoever follows."""

import asyncio
import json
import time
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import Any

KEPT = 10_000  # events that a late follower can still read; the file has them all

Event = dict[str, Any]


class Events:
    """An event is `{"t": seconds since up, "partition": name or "", "event": what}` and details of its own.

    The events `state` are what most people want: they have `state`, `reason` and `incarnation`.
    """

    def __init__(self, file: Path, started: float) -> None:
        self._started = started
        self._file = file.open("ab", buffering=0)
        self._kept: list[Event] = []
        self._forgotten = 0
        self._pulse = asyncio.Event()

    def __enter__(self) -> "Events":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._file.close()

    def record(self, partition: str, what: str, **details: object) -> None:
        event = {"t": round(time.monotonic() - self._started, 6), "partition": partition, "event": what}
        self._kept.append(event | details)
        with suppress(OSError):  # a full disk must not end a kernel
            self._file.write(json.dumps(self._kept[-1]).encode() + b"\n")
        if len(self._kept) > KEPT:
            self._forgotten += len(self._kept) - KEPT
            del self._kept[:-KEPT]
        self.pulse()

    def pulse(self) -> None:
        """Wakes everybody in `until`: something that they may be waiting for has changed."""
        self._pulse.set()
        self._pulse.clear()

    async def until(self, predicate: Callable[[], bool], deadline_s: float | None = None) -> bool:
        """Waits until it is true; False if it is not by the deadline. It is asked again then, once."""
        with suppress(TimeoutError):
            async with asyncio.timeout(deadline_s):
                while not predicate():
                    await self._pulse.wait()
                return True
        return predicate()

    @property
    def kept(self) -> Sequence[Event]:
        """The last ones, the oldest first."""
        return self._kept

    @property
    def count(self) -> int:
        """How many there have been."""
        return self._forgotten + len(self._kept)

    async def follow(self, begin: int, over: asyncio.Event) -> AsyncIterator[Event]:
        """The events from number `begin` on, until `over` is set and all that had happened was told.

        Set `over`, then `pulse`. Events long past are in the file alone.
        """
        at = begin
        while True:
            last = over.is_set()
            at = max(at, self._forgotten)
            while at < self.count:
                yield self._kept[at - self._forgotten]
                at = max(at + 1, self._forgotten)
            if last:
                return
            if at == self.count and not over.is_set():
                await self._pulse.wait()
