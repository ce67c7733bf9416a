# SPDX-License-Identifier: Apache-2.0
"""Talks to the supervisor of a running enclave; synchronous, for the command line and for tests.

Each verb is one connection to control.sock: a request of one line of JSON, then lines of
`{"event": {...}}`, then one `{"ok": {...}}` or `{"error": {...}}`, which is raised here as the
EnclaveError it stands for. The JSON objects are described in orchestrator/supervisor.py.
"""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import dataclass
from typing import Any, BinaryIO

from orchestrator.errors import (
    DeadlineError,
    EnclaveError,
    EnvironmentFault,
    GuestError,
    HangError,
    UsageError,
)
from orchestrator.run import NotRunning, RunFolder

Json = dict[str, Any]
OnEvent = Callable[[Json], None]

LINE_MAX = 1 << 20  # bytes of one line of JSON
# The supervisor keeps the deadlines; these are for one that is stopped or stuck.
ANSWER_DEADLINE_S = 30.0  # of verbs that are done at once
LONG_DEADLINE_S = 600.0  # between two lines of verbs that wait for kernels
OVER_DEADLINE_S = 10.0  # from the last word of a supervisor to the end of its processes
ERRORS = {
    kind.exit_status: kind
    for kind in (EnclaveError, UsageError, EnvironmentFault, GuestError, DeadlineError, HangError)
}


def _ignore(event: Json) -> None:
    del event


def _error_from(error: Json) -> EnclaveError:
    kind = ERRORS.get(error.get("exit_status", 1), EnclaveError)
    return kind(str(error.get("message", "")), str(error.get("hint", "")))


@dataclass(frozen=True, slots=True)
class Client:
    """Every verb raises NotRunning if there is no such enclave, and EnclaveError if the verb failed."""

    run: RunFolder

    @classmethod
    def connect(cls, run: RunFolder) -> "Client":
        """Raises NotRunning unless the enclave runs. Nothing is kept open between verbs."""
        if not run.is_running():
            raise _not_running(run)
        return cls(run)

    def status(self) -> Json:
        """The state of the enclave and of each partition (supervisor.py, "Status")."""
        return self._call({"verb": "status"})

    def wait(self, on_event: OnEvent = _ignore) -> Json:
        """Returns the status once every partition is READY.

        `on_event` gets every event from the beginning of the run on, those of the past first. Raises
        GuestError, DeadlineError or HangError, with the partition and the reason, if one will not be ready.
        """
        return self._call({"verb": "wait"}, on_event, LONG_DEADLINE_S)

    def restart(self, partition: str, on_event: OnEvent = _ignore) -> Json:
        """Ends a partition, boots it again on the same ids, and returns the status when it is READY."""
        return self._call({"verb": "restart", "partition": partition}, on_event, LONG_DEADLINE_S)

    def command(self, partition: str, command: str) -> Json:
        """Asks a kernel for "shutdown", "restart", "panic" or "hang", and returns its answer."""
        return self._call({"verb": "command", "partition": partition, "command": command})

    def kill(self, partition: str) -> Json:
        """SIGKILLs the QEMU of a partition; returns when it is gone."""
        return self._call({"verb": "kill", "partition": partition})

    def log(self, partition: str, follow: bool = False) -> Iterator[bytes]:
        """The kernel log in shared memory, in pieces; with `follow`, until the enclave ends."""
        with closing(self._open({"verb": "log", "partition": partition, "follow": follow})) as connection:
            while piece := connection.recv(1 << 16):
                yield piece

    def console(self, partition: str) -> socket.socket:
        """A connected stream socket: the serial console, raw, both ways. The caller closes it."""
        return self._open({"verb": "console", "partition": partition})

    def report(self, partition: str) -> Json:
        """What a kernel found of CPUs, memory and distances: `struct ikc_report`, its own numbering."""
        return self._call({"verb": "report", "partition": partition})

    def down(self, on_event: OnEvent = _ignore) -> Json:
        """Ends the enclave in good order; returns how each partition ended, when all is gone."""
        result = self._call({"verb": "down"}, on_event, LONG_DEADLINE_S)
        self.run.wait_until_over(OVER_DEADLINE_S)
        return result

    def _call(
        self, request: Json, on_event: OnEvent = _ignore, deadline_s: float = ANSWER_DEADLINE_S
    ) -> Json:
        with closing(self._send(request)) as connection, connection.makefile("rb") as lines:
            connection.settimeout(deadline_s)
            for line in self._lines(lines, request, deadline_s):
                answer = json.loads(line)
                if "event" not in answer:
                    return result_of(answer)
                on_event(answer["event"])
        raise self._lost(request)

    def _lines(self, lines: BinaryIO, request: Json, deadline_s: float) -> Iterator[bytes]:
        try:
            while line := lines.readline(LINE_MAX):
                yield line
        except TimeoutError:
            raise DeadlineError(
                f"the supervisor of enclave {self.run.name} said nothing for {deadline_s:g} s "
                f"during `{request['verb']}`",
                "is its process stopped?",
            ) from None
        except ConnectionError:
            return

    def _open(self, request: Json) -> socket.socket:
        """Sends a request after whose "ok" the connection carries raw bytes."""
        connection = self._send(request)
        line = bytearray()
        while not line.endswith(b"\n"):
            # Byte by byte: what follows the line is not ours to read.
            byte = connection.recv(1)
            if not byte:
                connection.close()
                raise self._lost(request)
            line += byte
        try:
            result_of(json.loads(line))
        except EnclaveError:
            connection.close()
            raise
        return connection

    def _send(self, request: Json) -> socket.socket:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self.run.control_socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            connection.close()
            raise _not_running(self.run) from error
        return connection

    def _lost(self, request: Json) -> EnclaveError:
        return EnclaveError(
            f"the supervisor of enclave {self.run.name} ended during `{request['verb']}`",
            f"{self.run.supervisor_log} may tell why",
        )


def _not_running(run: RunFolder) -> NotRunning:
    return NotRunning(f"enclave {run.name} is not running", "`enclave up SPEC` starts one")


def result_of(answer: Json) -> Json:
    """The result in an answer; raises the error that it has instead."""
    if "error" in answer:
        raise _error_from(answer["error"])
    result: Json = answer["ok"]
    return result
