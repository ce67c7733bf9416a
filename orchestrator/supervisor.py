# SPDX-License-Identifier: Apache-2.0
"""The process that owns a run, and the guardian that clears up if it is killed.

`start` forks twice: the caller's child is the guardian, its child the supervisor. Whoever dies takes
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
import time
from contextlib import suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any, NoReturn

from orchestrator.client import Client, result_of
from orchestrator.control import Control, error_as_json
from orchestrator.enclave import Enclave, LaunchOptions, boot
from orchestrator.errors import DeadlineError, EnclaveError
from orchestrator.plan import Plan
from orchestrator.run import RunFolder
from orchestrator.status import describe

START_DEADLINE_S = 60.0
GOODBYE_S = 2.0  # for clients to take what they are owed, at the end
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36  # prctl(2)
_LIBC = ctypes.CDLL(None)

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class _Start:
    """What the forked processes get to know. `told` goes to the caller of `start`."""

    run: RunFolder
    plan: Plan
    options: LaunchOptions
    time: float
    lock: int
    listener: socket.socket
    told: socket.socket


def start(run: RunFolder, plan: Plan, options: LaunchOptions) -> Client:
    """Starts an enclave, and returns when its QEMUs were started; `Client.wait` waits until they are READY.

    Raises AlreadyRunning, EnvironmentFault, or what else kept it from starting; nothing is left then but
    the logs. The enclave lives on without the caller, and keeps none of its files open.
    """
    begun = time.monotonic()
    run.check_socket_paths(tuple(partition.name for partition in plan.partitions))
    lock = run.claim()
    ours, theirs = socket.socketpair()
    with ours, theirs, socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        try:
            listener.bind(str(run.control_socket))
            listener.listen()
            child = os.fork()
            if child == 0:
                _guard(_Start(run, plan, options, begun, lock, listener, theirs))
        finally:
            os.close(lock)
        os.waitpid(child, 0)
        theirs.close()
        try:
            _await_start(run, ours)
        except KeyboardInterrupt:
            with suppress(EnclaveError):
                Client(run).down()
            raise
        except EnclaveError:
            run.wait_until_over(GOODBYE_S)
            raise
    return Client(run)


def _await_start(run: RunFolder, told: socket.socket) -> None:
    told.settimeout(START_DEADLINE_S)
    try:
        answer = told.makefile("rb").readline()
    except TimeoutError:
        raise DeadlineError(f"no QEMU was started within {START_DEADLINE_S:g} s") from None
    if not answer:
        raise EnclaveError("the supervisor died while it started", f"{run.supervisor_log} may tell why")
    result_of(json.loads(answer))


# ---- the guardian ----


def _guard(start: _Start) -> NoReturn:
    """In the caller's child: detaches, starts the supervisor, and clears up behind it."""
    status = 1
    try:
        os.setsid()
        if os.fork():
            os._exit(0)
        _detach(start.run, {start.lock, start.listener.fileno(), start.told.fileno()})
        _LIBC.prctl(_PR_SET_CHILD_SUBREAPER, 1)
        guardian = os.getpid()
        supervisor = os.fork()
        if supervisor == 0:
            _LIBC.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM)
            if os.getppid() == guardian:
                asyncio.run(_supervise(start))
        else:
            start.listener.close()
            start.told.close()
            _outlive(start.run, supervisor)
        status = 0
    except BaseException:
        log.exception("a process of the run failed")
    finally:
        os._exit(status)


def _detach(run: RunFolder, kept: set[int]) -> None:
    """Lets go of all that was the caller's: terminal, files, folder, signal handlers, buffered output."""
    null = os.open(os.devnull, os.O_RDONLY)
    output = os.open(run.supervisor_log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    os.dup2(null, 0)
    os.dup2(output, 1)
    os.dup2(output, 2)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(name)s: %(message)s"))
    # The caller's handlers are left alone: to close them could write to files that are closed below.
    logging.root.handlers = [handler]
    logging.root.setLevel(logging.INFO)
    logging.getLogger("qemu.qmp").setLevel(logging.WARNING)
    edges = [2, *sorted(kept), os.sysconf("SC_OPEN_MAX")]
    for below, above in pairwise(edges):
        os.closerange(below + 1, above)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    os.chdir("/")
    os.umask(0o077)


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


async def _supervise(start: _Start) -> None:
    """Runs the enclave to its end, and tells the caller how its start went."""
    run = start.run
    try:
        async with boot(run, start.plan, start.options, start.time) as enclave:
            run.plan.write_text(json.dumps(asdict(start.plan), default=str, indent=2) + "\n")
            ending = _Ending(enclave)
            await _serve(start, ending)
            _write_final(run, describe(enclave), ending.reason)
    except EnclaveError as error:
        _write_final(run, {"enclave": run.name}, error.message)
        _tell(start.told, error_as_json(error))
    run.remove_sockets()


async def _serve(start: _Start, ending: "_Ending") -> None:
    """Answers clients, from when the QEMUs run until all have ended."""
    control = Control(ending.enclave, partial(ending.down, "`enclave down`"))
    server = await asyncio.start_unix_server(control.serve, sock=start.listener)
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, ending.begin, f"signal {number.name}")
    _tell(start.told, {"ok": {}})
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
