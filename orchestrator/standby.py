# SPDX-License-Identifier: Apache-2.0
"""A process that stands by to become the guardian of a run.

It is forked before it is known what to run: what a supervisor imports takes longer than all that `up` has
to find out first, and now both happen at once. It is detached from its caller from the beginning, and
ends by itself if the caller ends, or has no use for it.
"""

import gc
import json
import os
import pickle
import signal
import socket
import struct
import sys
import time
from contextlib import suppress
from itertools import pairwise
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from orchestrator.client import Client, result_of
from orchestrator.errors import DeadlineError, EnclaveError
from orchestrator.run import RunFolder

if TYPE_CHECKING:
    from orchestrator.launch_options import LaunchOptions
    from orchestrator.plan import Plan

START_DEADLINE_S = 60.0
GOODBYE_S = 2.0  # from an error of the supervisor to its end
LENGTH = struct.Struct("<I")  # of an order; with it comes the run's lock, and after it the listener


class Standby:
    """The caller's end; made by `standby` alone. The process is gone at the end, if it was not told.

    `began` is when the caller did, by time.monotonic().
    """

    def __init__(self, connection: socket.socket, began: float) -> None:
        self._connection = connection
        self.began = began

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._connection.close()

    def start(self, run: RunFolder, plan: "Plan", options: "LaunchOptions") -> Client:
        """Starts an enclave, and returns when its QEMUs were started; `Client.wait` then waits for READY.

        Raises AlreadyRunning, EnvironmentFault, or what else kept it from starting; nothing is left then
        but the logs. The enclave lives on without the caller, and keeps none of its files open.
        """
        begun = time.monotonic()
        run.check_socket_paths(tuple(partition.name for partition in plan.partitions))
        lock = run.claim()
        try:
            self._send_order(pickle.dumps((run, plan, options, begun)), lock)
        finally:
            os.close(lock)
        try:
            # From here on whoever stands by removes the socket, should we be killed.
            with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
                listener.bind(str(run.control_socket))
                listener.listen()
                self._send_listener(listener)
            self._await_start(run)
        except KeyboardInterrupt:
            with suppress(EnclaveError):
                Client(run).down()
            raise
        except EnclaveError:
            run.wait_until_over(GOODBYE_S)
            raise
        return Client(run)

    def _send_order(self, order: bytes, lock: int) -> None:
        with suppress(BrokenPipeError):  # that it died is found when its answer is awaited
            socket.send_fds(self._connection, [LENGTH.pack(len(order))], [lock])
            self._connection.sendall(order)

    def _send_listener(self, listener: socket.socket) -> None:
        with suppress(BrokenPipeError):
            socket.send_fds(self._connection, [b"."], [listener.fileno()])
        self._connection.shutdown(socket.SHUT_WR)

    def _await_start(self, run: RunFolder) -> None:
        self._connection.settimeout(START_DEADLINE_S)
        try:
            with self._connection.makefile("rb") as answers:
                answer = answers.readline()
        except TimeoutError:
            raise DeadlineError(
                f"no QEMU was started within {START_DEADLINE_S:g} s", f"{run.supervisor_log} may tell why"
            ) from None
        if not answer:
            raise EnclaveError("the supervisor died while it started", f"{run.supervisor_log} may tell why")
        result_of(json.loads(answer))


def standby(began: float | None = None) -> Standby:
    """Forks a process that gets ready to be told what to run; `began`: if that is not now."""
    ours, theirs = socket.socketpair()
    with theirs:
        child = os.fork()
        if child == 0:
            ours.close()
            _leave_the_caller(theirs)
    os.waitpid(child, 0)
    return Standby(ours, time.monotonic() if began is None else began)


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
    # What modules are made of is no garbage, and to look for some takes a twentieth of the time.
    gc.disable()
    try:
        # Imported here, in this process: that is what it is for.
        from orchestrator.supervisor import Order, guard
    except Exception as error:
        _receive_order(told)
        _receive_listener(told)
        fault = EnclaveError(
            f"the supervisor cannot be loaded: {type(error).__name__}: {error}",
            "`make setup` installs what it needs",
        )
        told.sendall(json.dumps({"error": fault.as_json()}).encode() + b"\n")
        return
    gc.freeze()
    gc.enable()
    received = _receive_order(told)
    if received is None:
        return
    order, lock = received
    run, plan, options, begun = pickle.loads(order)
    listener = _receive_listener(told)
    if listener is None:
        run.remove_sockets()
    else:
        guard(Order(run, plan, options, begun, lock, listener, told))


def _receive_order(told: socket.socket) -> tuple[bytes, int] | None:
    """The order and the run's lock; None if the caller went away before it had sent all of it."""
    head, lock = _receive_with_descriptor(told, LENGTH.size)
    if lock is None:
        return None
    order = told.recv(LENGTH.unpack(head)[0], socket.MSG_WAITALL)
    return (order, lock) if len(order) == LENGTH.unpack(head)[0] else None


def _receive_listener(told: socket.socket) -> socket.socket | None:
    """At the run's control socket; None if the caller went away, who may have made one."""
    _, listener = _receive_with_descriptor(told, 1)
    return None if listener is None else socket.socket(fileno=listener)


def _receive_with_descriptor(told: socket.socket, size: int) -> tuple[bytes, int | None]:
    data, descriptors, _, _ = socket.recv_fds(told, size, 1)
    for descriptor in descriptors:
        os.set_inheritable(descriptor, False)
    return data, descriptors[0] if descriptors else None
