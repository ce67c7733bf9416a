# SPDX-License-Identifier: Apache-2.0
"""What repro.sh (repro_script.py) starts: makes what QEMUs share, starts them, and shows what they say.

    python -m orchestrator.repro RUN_FOLDER

It is no supervisor: it asks no kernel anything, and a guest that powers off, resets or panics stays as it is
until Ctrl-C. QEMUs die with it (PR_SET_PDEATHSIG); all else that it makes is descriptors, but for the sockets
of the monitors for people, which it removes, as does the next `up` or `gc`.
"""

import asyncio
import fcntl
import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path

from orchestrator.errors import EnclaveError, UsageError
from orchestrator.fabric import Fabric
from orchestrator.ikc import Identity, Segment, printable
from orchestrator.ikc_layout import ensure_layout
from orchestrator.lwk import BUILD
from orchestrator.machine import DIE_WITH_PARENT
from orchestrator.repro_script import Shared

CHUNK_BYTES = 65536
QUIT_S = 5.0  # from SIGTERM to SIGKILL


def read_shared(file: Path) -> Shared:
    """Raises UsageError if there is none that can be used."""
    try:
        found = json.loads(file.read_text())
        identities = tuple(
            Identity(**{**each, "segments": tuple(Segment(**segment) for segment in each["segments"])})
            for each in found.pop("identities")
        )
        return Shared(identities, **found)
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{file} cannot be used: {error}", "`enclave up` writes another") from error


class Guests:
    """The QEMUs, and what their kernels say; made by `main` alone."""

    def __init__(self, folder: Path, shared: Shared, fabric: Fabric, stack: ExitStack) -> None:
        self._folder = folder
        self._shared = shared
        self._fabric = fabric
        self._stack = stack
        self._told: dict[str, str] = {}
        self._consoles: list[asyncio.Task[None]] = []
        fabric.on_doorbell(self._look)

    async def run(self, stop: asyncio.Event) -> None:
        """Until all have ended, or are to stop."""
        names = [identity.name for identity in self._shared.identities]
        running = [await self._start(index, name) for index, name in enumerate(names)]
        ended = asyncio.gather(*(process.wait() for process in running))
        stopped = asyncio.ensure_future(stop.wait())
        await asyncio.wait((ended, stopped), return_when=asyncio.FIRST_COMPLETED)
        for process in running:
            if process.returncode is None:
                process.terminate()
        done, _ = await asyncio.wait((ended,), timeout=QUIT_S)
        for process in running if not done else ():
            if process.returncode is None:
                process.kill()
        await ended
        stopped.cancel()
        await asyncio.gather(*self._consoles)

    async def _start(self, index: int, name: str) -> asyncio.subprocess.Process:
        self._fabric.region.begin_life(index)
        with ExitStack() as theirs:
            # QEMU greets on its monitor, and nobody answers; but it may not be closed.
            _, monitor = self._pair(theirs)
            console, serial = self._pair(theirs)
            fabric = theirs.enter_context(self._fabric.connect(index))
            memory = self._fabric.memory_fds
            numbers = {"QMP": monitor.fileno(), "SERIAL": serial.fileno(), "FABRIC": fabric.fileno()}
            numbers |= {f"MEMORY{at}": memory[chunk] for at, chunk in enumerate(self._shared.chunks[name])}
            numbers |= {f"WINDOW{at}": memory[chunk] for at, chunk in enumerate(self._shared.windows[name])}
            process = await asyncio.create_subprocess_exec(
                *DIE_WITH_PARENT, "sh", str(self._folder / "repro.sh"), name,
                stdin=asyncio.subprocess.DEVNULL,
                env=os.environ | {variable: str(number) for variable, number in numbers.items()},
                pass_fds=tuple(numbers.values()),
                # Ctrl-C is for us, who end them in order.
                start_new_session=True,
            )  # fmt: skip
        self._consoles.append(asyncio.create_task(_show(name, console)))
        return process

    def _pair(self, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
        here, there = socket.socketpair()
        return self._stack.enter_context(here), theirs.enter_context(there)

    def _look(self) -> None:
        """Tells of a kernel's new state, in this life."""
        for index, identity in enumerate(self._shared.identities):
            status = self._fabric.region.status(index)
            state = status.state + (f": {status.panic_text}" if status.state == "PANICKED" else "")
            if status.incarnation and self._told.get(identity.name) != state:
                self._told[identity.name] = state
                _say(identity.name, f"[{state}]")


async def _show(name: str, console: socket.socket) -> None:
    """Line by line, until QEMU is gone."""
    console.setblocking(False)
    rest = b""
    with suppress(ConnectionResetError):
        while data := await asyncio.get_running_loop().sock_recv(console, CHUNK_BYTES):
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                _say(name, printable(line))
    if rest:
        _say(name, printable(rest))


def _say(name: str, text: str) -> None:
    sys.stdout.write(f"{name:8} | {text}\n")
    sys.stdout.flush()


@contextmanager
def _alone(folder: Path, shared: Shared) -> Iterator[None]:
    """Nobody else does this in the folder meanwhile; its sockets are gone afterwards. Raises UsageError."""
    with (folder / "repro.json").open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise UsageError(f"{folder}/repro.sh runs already", "end that one first") from None
        try:
            yield
        finally:
            for identity in shared.identities:
                (folder / f"repro-{identity.name}.sock").unlink(missing_ok=True)


async def _run(folder: Path, shared: Shared) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    layout = ensure_layout(BUILD)
    with (
        Fabric(layout, shared.identities, shared.memory, hugepages=shared.hugepages) as fabric,
        ExitStack() as stack,
    ):
        await Guests(folder, shared, fabric, stack).run(stop)


def main(folder: Path) -> int:
    """Returns the exit status."""
    try:
        shared = read_shared(folder / "repro.json")
        with _alone(folder, shared):
            asyncio.run(_run(folder, shared))
    except EnclaveError as error:
        sys.stderr.write(f"repro.sh: {error}\n")
        return error.exit_status
    return 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]).absolute()))
