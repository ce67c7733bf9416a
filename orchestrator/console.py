# SPDX-License-Identifier: Apache-2.0
"""The serial console of a partition: kept in a log, shown to viewers, and written to by them.

Bytes go to viewers as they come; the log gets a stamp at the beginning of each line, with the seconds
since `up`. A watcher of several consoles gets pieces, each with its time and its partition. Whoever does not
read is dropped: the guest and the log never wait for anybody.
"""

import asyncio
import json
import re
import socket
import time
from collections import deque
from contextlib import suppress
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from orchestrator.ikc import printable

VIEWER_BEHIND_MAX = 1 << 18  # bytes that a viewer may leave unread
INPUT_WAITING_MAX = 1 << 16  # bytes typed that the guest may leave unread; more is lost, as on a real line
REPLAY = 4096  # bytes of the past that a new viewer sees first
LINE_START = re.compile(rb"(?<=\n)(?=.)", re.DOTALL)


class Piece(NamedTuple):
    """What a guest wrote at once, as far as it could be told; `t` is seconds since `up`."""

    t: float
    partition: str
    data: bytes

    def as_line(self) -> bytes:
        text = self.data.decode(errors="surrogateescape")
        return json.dumps({"t": self.t, "partition": self.partition, "text": text}).encode() + b"\n"


class Console:
    """One partition's console for the whole run, across the lives of its QEMUs."""

    def __init__(self, log: Path, started: float, partition: str = "") -> None:
        self._started = started
        self._partition = partition
        self._log = log.open("ab", buffering=0)
        self._recent = bytearray()
        self._at_line_start = True
        self._pieces: deque[Piece] = deque()  # about as much of the past as `_recent`
        self._in_pieces = 0
        self._viewers: set[asyncio.StreamWriter] = set()
        self._watchers: set[asyncio.StreamWriter] = set()
        self._guest: asyncio.StreamWriter | None = None

    def __enter__(self) -> "Console":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for viewer in self._viewers | self._watchers:
            viewer.close()
        self._viewers.clear()
        self._watchers.clear()
        self._log.close()

    @property
    def last_line(self) -> str:
        """The newest line that is not empty; a line without an end counts."""
        lines = [line for line in printable(self._recent.replace(b"\r", b"\n")).splitlines() if line.strip()]
        return lines[-1].strip() if lines else ""

    async def pump(self, connection: socket.socket) -> None:
        """Reads one QEMU's end of the console until it is closed. Takes the socket over."""
        reader, self._guest = await asyncio.open_connection(sock=connection)
        try:
            while data := await reader.read(1 << 16):
                self.take(data)
        except ConnectionResetError:
            pass  # QEMU was killed
        finally:
            self._guest.transport.abort()
            self._guest = None

    def take(self, data: bytes) -> None:
        """What the guest wrote, in whatever pieces it came."""
        piece = Piece(round(time.monotonic() - self._started, 6), self._partition, data)
        with suppress(OSError):  # a full disk must not end a kernel
            self._log.write(self._stamped(piece.t, data))
        self._recent += data
        del self._recent[:-REPLAY]
        self._keep(piece)
        self._show(self._viewers, data)
        self._show(self._watchers, piece.as_line())

    def _keep(self, piece: Piece) -> None:
        self._pieces.append(piece)
        self._in_pieces += len(piece.data)
        while self._in_pieces - len(self._pieces[0].data) >= REPLAY:
            self._in_pieces -= len(self._pieces.popleft().data)

    def _show(self, viewers: set[asyncio.StreamWriter], data: bytes) -> None:
        for viewer in list(viewers):
            if viewer.transport.get_write_buffer_size() > VIEWER_BEHIND_MAX:
                self.detach(viewer)
                viewer.transport.abort()
            else:
                viewer.write(data)

    def _stamped(self, t: float, data: bytes) -> bytes:
        stamp = f"[{t:12.6f}] ".encode()
        first = stamp if self._at_line_start else b""
        self._at_line_start = data.endswith(b"\n")
        return first + LINE_START.sub(stamp, data)

    async def serve(self, reader: asyncio.StreamReader, viewer: asyncio.StreamWriter) -> None:
        """Shows the console to a viewer, and sends the guest what it types, until it goes."""
        viewer.write(bytes(self._recent))
        self._viewers.add(viewer)
        try:
            with suppress(ConnectionError):
                while data := await reader.read(4096):
                    self._type(data)
        finally:
            self.detach(viewer)

    def watch(self, watcher: asyncio.StreamWriter) -> list[Piece]:
        """Shows a watcher what comes from now on, a line of JSON for each piece; returns the recent past."""
        self._watchers.add(watcher)
        return list(self._pieces)

    def detach(self, viewer: asyncio.StreamWriter) -> None:
        self._viewers.discard(viewer)
        self._watchers.discard(viewer)

    def _type(self, data: bytes) -> None:
        guest = self._guest
        if guest is not None and guest.transport.get_write_buffer_size() < INPUT_WAITING_MAX:
            guest.write(data)
