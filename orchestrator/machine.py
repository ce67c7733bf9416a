# SPDX-License-Identifier: Apache-2.0
"""One virtual machine: a QEMU process and its QMP connection, alive only inside an `async with`.

QEMU dies with us (PR_SET_PDEATHSIG), and leaving the scope ends and reaps it whatever happened. Its
monitor is one end of a socketpair, so there is nothing to wait for and nothing to collide.
"""

import asyncio
import logging
import os
import re
import shutil
import signal
import socket
import subprocess
from collections.abc import AsyncIterator, Collection, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from qemu.qmp import ConnectError, EventListener, QMPClient, QMPError, Runstate

from orchestrator.errors import EnvironmentFault
from orchestrator.ikc import printable
from orchestrator.topology import Position

STDERR_SHOWN = 1000  # bytes of QEMU's last words that an error repeats
# setpriv(1) and not a preexec_fn: that needs fork instead of vfork, which costs ten times as much.
DIE_WITH_PARENT = ("setpriv", "--pdeathsig", "KILL")
# One heap for all of QEMU's threads, of which there is one for each CPU: what one has given back the next can
# have, warm.
HEAP = {"MALLOC_ARENA_MAX": "1"}
_FORWARD = re.compile(r"TCP\[HOST_FORWARD\]\s+\d+\s+\S+\s+(\d+)\s+\S+\s+22\b")


class MonitorLost(QMPError):
    """QEMU did not do what its monitor was asked; the message says what."""


class Launch(NamedTuple):
    """How to start one QEMU. `descriptors` are inherited under their own numbers and named in `command`."""

    name: str
    command: Sequence[str]
    descriptors: Collection[int]
    stderr: Path


class Machine:
    """A running QEMU; made by `start_machine` alone."""

    def __init__(self, name: str, process: "Process", monitor: socket.socket, stderr: Path) -> None:
        self.name = name
        self._process = process
        self._monitor = monitor
        self._stderr = stderr
        self._qmp = QMPClient(name)
        self._events = EventListener()
        self._threads: dict[Position, int] = {}
        self._qmp.register_listener(self._events)

    @property
    def pid(self) -> int | None:
        return None if self._process.exited.done() else self._process.pid

    async def connect(self, deadline_s: float) -> None:
        """Opens the monitor. Raises MonitorLost if QEMU does not answer in time, or dies before."""
        try:
            async with asyncio.timeout(deadline_s):
                await self._qmp.connect(self._monitor)
        except TimeoutError:
            raise MonitorLost(f"QEMU did not answer its monitor within {deadline_s:g} s") from None
        except (ConnectError, QMPError, OSError) as error:
            raise MonitorLost("QEMU closed its monitor before it answered") from error

    async def execute(self, command: str, deadline_s: float, **arguments: object) -> Any:
        """Runs a QMP command. Raises MonitorLost if it fails or does not answer in time."""
        try:
            async with asyncio.timeout(deadline_s):
                return await self._qmp.execute(command, arguments or None)
        except TimeoutError:
            raise MonitorLost(f"QEMU did not answer `{command}` within {deadline_s:g} s") from None
        except (QMPError, OSError) as error:
            raise MonitorLost(f"QMP `{command}` failed: {error}") from error

    async def events(self) -> AsyncIterator[dict[str, Any]]:
        """QMP events in their order, until the machine is gone; none that QEMU sent before is lost."""
        gone = asyncio.ensure_future(self._process.exited)
        while not gone.done():
            coming = asyncio.ensure_future(self._events.get())
            await asyncio.wait((gone, coming), return_when=asyncio.FIRST_COMPLETED)
            if coming.done():
                yield dict(coming.result())
            else:
                coming.cancel()
        await self._read_to_the_end()
        for event in self._events.clear():
            yield dict(event)

    async def _read_to_the_end(self) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(1):
                while self._qmp.runstate is Runstate.RUNNING:
                    await self._qmp.runstate_changed()

    async def wait(self) -> str:
        """Waits until QEMU has ended; returns how, in words."""
        status = await asyncio.shield(self._process.exited)
        if status < 0:
            return f"QEMU was killed by signal {-status} ({_signal_name(-status)})"
        if status == 0:
            return "QEMU ended"
        words = self.last_words()
        return f"QEMU exited with status {status}" + (f": {words}" if words else "")

    def last_words(self) -> str:
        """The end of what QEMU wrote to its standard error."""
        with suppress(OSError), self._stderr.open("rb") as file:
            file.seek(max(0, os.fstat(file.fileno()).st_size - STDERR_SHOWN))
            return printable(file.read()).strip()
        return ""

    async def ssh_port(self, deadline_s: float) -> int:
        """The port of 127.0.0.1 that QEMU chose to forward to the guest's port 22. Raises MonitorLost."""
        text = await self.execute("human-monitor-command", deadline_s, **{"command-line": "info usernet"})
        found = _FORWARD.search(str(text))
        if found is None:
            raise MonitorLost(f"QEMU forwards no port to the guest's port 22: {text}")
        return int(found[1])

    async def cpu_threads(self, deadline_s: float) -> Mapping[Position, int]:
        """The thread of each CPU, which it keeps for as long as QEMU lives. Raises MonitorLost."""
        if not self._threads:
            found = await self.execute("query-cpus-fast", deadline_s)
            self._threads = {position_of(cpu["props"]): cpu["thread-id"] for cpu in found}
        return self._threads

    async def pin(self, processors: Mapping[Position, int], deadline_s: float) -> None:
        """Has the thread of each CPU run on its processor alone. Raises MonitorLost."""
        for cpu in await self.execute("query-cpus-fast", deadline_s) if processors else ():
            processor = processors[position_of(cpu["props"])]
            try:
                os.sched_setaffinity(cpu["thread-id"], {processor})
            except OSError as error:
                raise MonitorLost(
                    f"CPU {cpu['cpu-index']} cannot be pinned to processor {processor}: {error.strerror}"
                ) from error

    async def reset(self, deadline_s: float) -> None:
        """Starts the paused guest afresh, as the reset button does."""
        # With reboot=shutdown, which makes resets visible to us, QEMU would turn this one down too.
        await self.execute("set-action", deadline_s, reboot="reset")
        await self.execute("system_reset", deadline_s)
        await self.execute("set-action", deadline_s, reboot="shutdown")
        await self.execute("cont", deadline_s)

    def kill(self) -> None:
        self._process.kill()

    async def end(self, deadline_s: float) -> str:
        """Asks QEMU to quit, and kills it if it does not. Returns "quit", "killed", or "gone" if it was."""
        if self._process.exited.done():
            return "gone"
        if self._qmp.runstate is Runstate.RUNNING:
            with suppress(TimeoutError):
                async with asyncio.timeout(deadline_s):
                    with suppress(MonitorLost):  # it may be gone before it has answered
                        await self.execute("quit", deadline_s)
                    await asyncio.shield(self._process.exited)
                    return "quit"
        self.kill()
        await asyncio.shield(self._process.exited)
        return "killed"

    async def close(self) -> None:
        self.kill()
        await asyncio.shield(self._process.exited)
        with suppress(QMPError, OSError, EOFError):
            await self._qmp.disconnect()
        self._monitor.close()
        self._process.close()


@asynccontextmanager
async def start_machine(launch: Launch, monitor: socket.socket) -> AsyncIterator[Machine]:
    """Starts QEMU, whose monitor is the other end of `monitor`; ends it on leaving.

    Raises EnvironmentFault if it cannot be started at all. An end of QEMU later is told by `wait`.
    """
    logging.getLogger(f"{__name__}.{launch.name}").info("started")
    process = Process(launch)
    machine = Machine(launch.name, process, monitor, launch.stderr)
    try:
        yield machine
    finally:
        await asyncio.shield(machine.close())


class Process:
    """A child that dies with us; `exited` becomes its exit status, negative for a signal."""

    def __init__(self, launch: Launch) -> None:
        self._loop = asyncio.get_running_loop()
        self.exited: asyncio.Future[int] = self._loop.create_future()
        program = shutil.which(launch.command[0])
        if program is None:
            raise EnvironmentFault(
                f"{launch.command[0]} is not installed", "`enclave doctor` tells what is missing"
            )
        with launch.stderr.open("ab") as errors:
            try:
                self._child = subprocess.Popen(
                    [*DIE_WITH_PARENT, program, *launch.command[1:]],
                    stdin=subprocess.DEVNULL,
                    stdout=errors,
                    stderr=errors,
                    pass_fds=tuple(launch.descriptors),
                    env=os.environ | HEAP,
                )
            except OSError as error:
                raise EnvironmentFault(
                    f"cannot start {launch.command[0]}: {error.strerror}",
                    "`enclave doctor` tells what is missing",
                ) from error
        self.pid = self._child.pid
        self._pidfd = os.pidfd_open(self.pid)
        self._loop.add_reader(self._pidfd, self._reap)

    def _reap(self) -> None:
        self._loop.remove_reader(self._pidfd)
        self.exited.set_result(self._child.wait())

    def kill(self) -> None:
        with suppress(ProcessLookupError):
            signal.pidfd_send_signal(self._pidfd, signal.SIGKILL)

    def close(self) -> None:
        os.close(self._pidfd)


def position_of(props: Mapping[str, int]) -> Position:
    """Of a CPU, from what QMP says of it; QEMU leaves out levels that there is one of."""
    return Position(*(props.get(f"{level}-id", 0) for level in ("socket", "die", "core", "thread")))


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return "a real-time signal"
