# SPDX-License-Identifier: Apache-2.0
"""gdb's way into a partition: a socket that is always there, and QEMU's stub behind it while gdb is.

We stand between the two because QEMU does not tell whether a debugger is there, keeps a second one waiting
for ever, and leaves the guest stopped, with all breakpoints in it, when gdb dies.
"""

import asyncio
import logging
import re
import socket
import struct
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path

from orchestrator.events import Events
from orchestrator.machine import Machine, MonitorLost
from orchestrator.partition import Partition

STUB_TRIES = 3
STUB_ANSWER_S = 2.0  # QEMU's main loop may be busy
END_S = 10.0  # from sending gdb away to the guest running on
# gdb(1) "Remote Protocol". A "+" takes the place of an acknowledgement that is still owed, \x03 stops a guest
# that runs, and what was cut off in the middle is ended by the first try.
DETACH = b"+\x03$D;1#b0"
DETACHED = b"$OK#9a"
LAST_WAS_DETACH = re.compile(rb"\$D(;[0-9a-f]+)?#[0-9a-f]{2}\+*$")
TAIL = 64  # bytes of what gdb said last
_UCRED = struct.Struct("@iII")

log = logging.getLogger(__name__)


class Debugger:
    """One partition's; one gdb at a time. `machine` is the QEMU of the present life, given by the keeper;
    `pid` that of the gdb that is attached."""

    def __init__(self, partition: Partition, events: Events, stub: Path, monitor_s: float) -> None:
        self.machine: Machine | None = None
        self.pid: int | None = None
        self._partition = partition
        self._events = events
        self._stub = stub
        self._monitor_s = monitor_s
        self._gdb: asyncio.StreamWriter | None = None

    async def serve(self, reader: asyncio.StreamReader, gdb: asyncio.StreamWriter) -> None:
        """One connection to the socket; closed at once if nothing is there to attach to, or a gdb is."""
        machine = self.machine
        try:
            if machine is not None and machine.pid is not None and self.pid is None:
                self.pid = _peer(gdb)
                self._gdb = gdb
                try:
                    await self._session(machine, reader, gdb)
                finally:
                    self.pid = self._gdb = None
                    self._events.pulse()
        except (MonitorLost, OSError) as error:
            log.warning("%s: a debugger could not be served: %s", self._partition.name, error)
        finally:
            gdb.close()

    def leave(self) -> None:
        """The machine has ended; gdb is told by the end of its connection."""
        self.machine = None
        self._partition.detach()

    async def end(self) -> None:
        """Sends gdb away. The guest runs on."""
        if self._gdb is not None:
            self._gdb.close()
            await self._events.until(lambda: self.pid is None, END_S)

    async def _session(
        self, machine: Machine, reader: asyncio.StreamReader, gdb: asyncio.StreamWriter
    ) -> None:
        partition = self._partition
        life = partition.incarnation
        with_pid = {"pid": self.pid}
        partition.attach()
        self._events.record(partition.name, "gdb attached", **with_pid)
        try:
            async with self._opened(machine) as (answers, stub):
                last = await _relay(reader, gdb, answers, stub)
                if last is not None and not LAST_WAS_DETACH.search(last):
                    await self._let_go(answers, stub)
        finally:
            if self.machine is machine and partition.detach() and partition.incarnation == life:
                with suppress(MonitorLost):
                    await machine.execute("stop", self._monitor_s)
            self._events.record(partition.name, "gdb gone", **with_pid)

    @asynccontextmanager
    async def _opened(
        self, machine: Machine
    ) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
        """QEMU's stub, for us alone: nobody else finds its socket. To connect to it stops the guest."""
        path = str(self._stub).replace(",", ",,")
        try:
            # A person may have opened one by the monitor; there is room for one only.
            await self._monitor(machine, "gdbserver none")
            said = await self._monitor(machine, f"gdbserver unix:{path},server=on,wait=off")
            try:
                answers, stub = await asyncio.open_unix_connection(self._stub)
            except OSError as error:
                raise MonitorLost(f"QEMU opened no stub for gdb: {said.strip() or error}") from error
        finally:
            self._stub.unlink(missing_ok=True)
        try:
            yield answers, stub
        finally:
            stub.close()
            if machine.pid is not None:
                with suppress(MonitorLost):
                    await self._monitor(machine, "gdbserver none")

    async def _monitor(self, machine: Machine, line: str) -> str:
        """A command for QEMU's human monitor: QMP has none for this."""
        return str(await machine.execute("human-monitor-command", self._monitor_s, **{"command-line": line}))

    async def _let_go(self, answers: asyncio.StreamReader, stub: asyncio.StreamWriter) -> None:
        """Detaches in the place of a gdb that went without: breakpoints are taken out, the guest runs on."""
        for _ in range(STUB_TRIES):
            with suppress(TimeoutError, ConnectionError, asyncio.IncompleteReadError):
                stub.write(DETACH)
                async with asyncio.timeout(STUB_ANSWER_S):
                    await answers.readuntil(DETACHED)
                return
        log.warning("%s: QEMU's stub did not let the guest go", self._partition.name)


async def _relay(
    reader: asyncio.StreamReader,
    gdb: asyncio.StreamWriter,
    answers: asyncio.StreamReader,
    stub: asyncio.StreamWriter,
) -> bytes | None:
    """Until one side ends. The last that gdb said, as far as that is known, or None if QEMU has gone."""
    asks = asyncio.create_task(_pump(reader, stub))
    tells = asyncio.create_task(_pump(answers, gdb))
    try:
        await asyncio.wait((asks, tells), return_when=asyncio.FIRST_COMPLETED)
        # A gdb that is killed may be found gone by what QEMU tells it just then.
        if tells.done() and (answers.at_eof() or answers.exception()):
            return None
        return asks.result() if asks.done() else b""
    finally:
        for task in (asks, tells):
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def _pump(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> bytes:
    """Returns the last bytes when the source ends."""
    tail = b""
    with suppress(ConnectionError):
        while data := await source.read(1 << 16):
            tail = (tail + data)[-TAIL:]
            sink.write(data)
            await sink.drain()
    return tail


def _peer(connection: asyncio.StreamWriter) -> int:
    """The process at the other end: unix(7), SO_PEERCRED."""
    peer = connection.get_extra_info("socket").getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, _UCRED.size)
    return int(_UCRED.unpack(peer)[0])
