# SPDX-License-Identifier: Apache-2.0
"""A process that stands by to become the guardian of a run.

It is forked before it is known what to run: what a supervisor imports takes as long as all that `up` has
to find out first, and now both happen at once. It is detached from its caller from the beginning, and
ends by itself if the caller ends, or has no use for it.
"""

import json
import os
import pickle
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from itertools import pairwise
from typing import TYPE_CHECKING, NoReturn

from orchestrator.client import Client, result_of
from orchestrator.errors import DeadlineError, EnclaveError
from orchestrator.run import RunFolder

if TYPE_CHECKING:
    from orchestrator.launch_options import LaunchOptions
    from orchestrator.plan import Plan

START_DEADLINE_S = 60.0
GOODBYE_S = 2.0  # from an error of the supervisor to its end
ORDER_MAX = 1 << 24  # bytes
DESCRIPTORS = 2  # of an order: the run's lock, and the listener at its control socket


class Standby:
    """The caller's end; made by `standby` alone."""

    def __init__(self, connection: socket.socket) -> None:
        self._connection = connection

    def start(self, run: RunFolder, plan: "Plan", options: "LaunchOptions") -> Client:
        """Starts an enclave, and returns when its QEMUs were started; `Client.wait` then waits for READY.

        Raises AlreadyRunning, EnvironmentFault, or what else kept it from starting; nothing is left then
        but the logs. The enclave lives on without the caller, and keeps none of its files open.
        """
        begun = time.monotonic()
        run.check_socket_paths(tuple(partition.name for partition in plan.partitions))
        lock = run.claim()
        with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
            try:
                listener.bind(str(run.control_socket))
                listener.listen()
                self._send(pickle.dumps((run, plan, options, begun)), [lock, listener.fileno()])
            finally:
                os.close(lock)
        try:
            self._await_start(run)
        except KeyboardInterrupt:
            with suppress(EnclaveError):
                Client(run).down()
            raise
        except EnclaveError:
            run.wait_until_over(GOODBYE_S)
            raise
        return Client(run)

    def _send(self, order: bytes, descriptors: list[int]) -> None:
        with suppress(BrokenPipeError):  # that it died is found when its answer is awaited
            sent = socket.send_fds(self._connection, [order], descriptors)
            self._connection.sendall(order[sent:])
        self._connection.shutdown(socket.SHUT_WR)

    def _await_start(self, run: RunFolder) -> None:
        self._connection.settimeout(START_DEADLINE_S)
        try:
            with self._connection.makefile("rb") as answers:
                answer = answers.readline()
        except TimeoutError:
            raise DeadlineError(f"no QEMU was started within {START_DEADLINE_S:g} s") from None
        if not answer:
            raise EnclaveError("the supervisor died while it started", f"{run.supervisor_log} may tell why")
        result_of(json.loads(answer))


@contextmanager
def standby() -> Iterator[Standby]:
    """Forks a process that gets ready to be told what to run; one that was not told is gone at the end."""
    ours, theirs = socket.socketpair()
    with ours:
        with theirs:
            child = os.fork()
            if child == 0:
                _leave_the_caller(theirs)
        os.waitpid(child, 0)
        yield Standby(ours)


# ---- in the child ----


def _leave_the_caller(told: socket.socket) -> NoReturn:
    """Forks once more, so that the one who stands by is nobody's child and the caller has none to reap."""
    status = 1
    try:
        os.setsid()
        if os.fork() == 0:
            _detach(told.fileno())
            _stand_by(told)
        status = 0
    finally:
        os._exit(status)


def _detach(kept: int) -> None:
    """Lets go of all that was the caller's: terminal, files, folder, signal handlers, buffered output."""
    null = os.open(os.devnull, os.O_RDWR)
    for standard in range(3):
        os.dup2(null, standard)
    sys.stdout = sys.stderr = os.fdopen(1, "w", buffering=1, closefd=False)
    for below, above in pairwise([2, kept, os.sysconf("SC_OPEN_MAX")]):
        os.closerange(below + 1, above)
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    signal.set_wakeup_fd(-1)
    os.chdir("/")
    os.umask(0o077)


def _stand_by(told: socket.socket) -> None:
    try:
        # Imported here, in this process: that is what it is for.
        from orchestrator.supervisor import Order, guard
    except Exception as error:
        _receive(told)
        fault = EnclaveError(f"the supervisor cannot be loaded: {type(error).__name__}: {error}")
        told.sendall(json.dumps({"error": fault.as_json()}).encode() + b"\n")
        return
    order, descriptors = _receive(told)
    if order:
        run, plan, options, begun = pickle.loads(order)
        lock, listener = descriptors
        guard(Order(run, plan, options, begun, lock, socket.socket(fileno=listener), told))


def _receive(told: socket.socket) -> tuple[bytes, list[int]]:
    """What `Standby._send` sent; nothing if the caller went away."""
    order, descriptors, _, _ = socket.recv_fds(told, ORDER_MAX, DESCRIPTORS)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    pieces = [order]
    while piece := told.recv(ORDER_MAX):
        pieces.append(piece)
    return b"".join(pieces), descriptors
