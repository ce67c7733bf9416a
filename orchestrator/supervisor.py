# SPDX-License-Identifier: Apache-2.0
"""The process that owns a run, and the guardian that clears up if it is killed, and relays SSH meanwhile.

The one who stood by (standby.py) becomes the guardian, and its child the supervisor. Whoever dies takes
the rest along: QEMUs get SIGKILL when the supervisor dies, the supervisor gets SIGTERM, and ends in
good order, when the guardian does. Both hold the run's lock, so that it says "running" until all is gone.
"""

import asyncio
import ctypes
import json
import logging
import os
import signal
import socket
import sys
from contextlib import suppress
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.control import Control
from orchestrator.enclave import Enclave, boot
from orchestrator.errors import EnclaveError
from orchestrator.launch_options import LaunchOptions
from orchestrator.plan import Plan
from orchestrator.records import as_json
from orchestrator.run import RunFolder
from orchestrator.ssh_relay import SshPorts, SshRelay
from orchestrator.status import describe

GOODBYE_S = 2.0  # for clients to take what they are owed, at the end
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_LIBC = ctypes.CDLL(None)

log = logging.getLogger(__name__)


class Order(NamedTuple):
    """What is to be run. `lock` is held until all is gone; `told` goes to whoever waits for the start."""

    run: RunFolder
    plan: Plan
    options: LaunchOptions
    time: float
    lock: int
    listener: socket.socket
    told: socket.socket


# ---- the guardian ----


def guard(order: Order) -> None:
    """In a detached process: starts the supervisor, and clears up behind it; returns when all is gone."""
    _log_to(order.run.supervisor_log)
    try:
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        guardian = os.getpid()
        relay = SshRelay([each.index for each in order.plan.partitions if each.kind.runs_linux])
        supervisor = os.fork()
        if supervisor == 0:
            relay.close()
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() == guardian:
                asyncio.run(_supervise(order, relay.ports))
        else:
            order.listener.close()
            order.told.close()
            relay.ports.close()
            _relay_until_over(relay, supervisor)
            _outlive(order.run, supervisor)
    except BaseException:
        log.exception("a process of the run failed")
        raise


def _log_to(path: Path) -> None:
    """What this process and its children say, also by accident, goes to a file."""
    output = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(output, 1)
    os.dup2(output, 2)
    os.close(output)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    # The caller's handlers are left alone: to close them could write to files that are closed by now.
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    logging.getLogger("qemu.qmp").setLevel(logging.WARNING)


def _relay_until_over(relay: SshRelay, supervisor: int) -> None:
    """Without it the enclave still runs, and has a console."""
    ended = os.pidfd_open(supervisor)
    try:
        relay.run(until=ended)
    except Exception:
        log.exception("the relay of SSH failed")
    os.close(ended)


def _outlive(run: RunFolder, supervisor: int) -> None:
    """Waits for the supervisor, then for what it left behind; says how it ended if it could not itself."""
    _, status = os.waitpid(supervisor, 0)
    # Its orphans are ours now. The kernel has killed them already, but for one that was only just started.
    with suppress(ChildProcessError):
        while True:
            for orphan in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
                with suppress(ProcessLookupError):
                    os.kill(int(orphan), signal.SIGKILL)
            os.waitpid(-1, 0)
    run.remove_sockets()
    if not run.status_final.exists():
        _write_final(run, {"enclave": run.name}, _end_in_words(status))


def _end_in_words(status: int) -> str:
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        return f"the supervisor was killed by signal {number} ({signal.Signals(number).name})"
    return "the supervisor failed; see supervisor.log"


def _write_final(run: RunFolder, status: dict[str, Any], reason: str) -> None:
    ended = {"ended_at": datetime.now(UTC).isoformat(), "reason": reason}
    run.status_final.write_text(json.dumps(status | ended, indent=2) + "\n")


# ---- the supervisor ----


async def _supervise(order: Order, ssh_ports: SshPorts) -> None:
    """Runs the enclave to its end, and tells the caller how its start went."""
    run = order.run
    try:
        async with boot(run, order.plan, order.options, order.time, ssh_ports) as enclave:
            run.plan.write_text(json.dumps(as_json(order.plan), indent=2) + "\n")
            enclave.write_repro()
            ending = _Ending(enclave)
            await _serve(order, ending)
            _write_final(run, describe(enclave), ending.reason)
    except EnclaveError as error:
        _write_final(run, {"enclave": run.name}, error.message)
        _tell(order.told, {"error": error.as_json()})
    run.remove_sockets()


async def _serve(order: Order, ending: "_Ending") -> None:
    """Answers clients, from when the QEMUs run until all have ended."""
    control = Control(ending.enclave, partial(ending.down, "`enclave down`"))
    server = await asyncio.start_unix_server(control.serve, sock=order.listener)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.begin, f"signal {number.name}")
    _tell(order.told, {"ok": {}})
    await ending.over.wait()
    server.close()
    await control.idle(GOODBYE_S)


class _Ending:
    """The end of the run, which several may ask for and which happens once."""

    def __init__(self, enclave: Enclave) -> None:
        self.enclave = enclave
        self.reason = ""
        self.over = asyncio.Event()
        self._shutting_down: asyncio.Task[dict[str, str]] | None = None

    def begin(self, reason: str) -> "asyncio.Task[dict[str, str]]":
        if self._shutting_down is None:
            self.reason = reason
            self.enclave.events.record("", "ending", reason=reason)
            self._shutting_down = asyncio.create_task(self.enclave.shut_down())
            self._shutting_down.add_done_callback(lambda _: self.over.set())
        return self._shutting_down

    async def down(self, reason: str) -> dict[str, str]:
        """How each partition ended."""
        return await asyncio.shield(self.begin(reason))


def _tell(told: socket.socket, answer: dict[str, Any]) -> None:
    with suppress(OSError):  # the caller may have gone
        told.sendall(json.dumps(answer).encode() + b"\n")
    told.close()
