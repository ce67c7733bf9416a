# SPDX-License-Identifier: Apache-2.0
"""One QMP command over a partition's socket for people (qmp-PARTITION.sock): connect, ask, leave.

QEMU serves one client at a time there, and lets the others wait. Nobody holds the socket for longer than a
command takes, so that any number of consoles work side by side, and a QEMU that was started again is found by
itself. Blocking; `abandon` from another thread ends the wait.
"""

import json
import socket
import struct
from collections.abc import Mapping
from contextlib import closing, suppress
from pathlib import Path
from typing import Any, BinaryIO

from orchestrator.errors import DeadlineError, EnclaveError

GREETING_DEADLINE_S = 5.0
ANSWER_DEADLINE_S = 600.0  # a dump of a guest's memory takes some minutes
LINE_MAX = 256 << 20  # bytes; what HMP prints may be long


ASK_STATUS = "`enclave status` tells how the partition is"


class NoMonitor(EnclaveError):
    """No QEMU listens there."""


class Refused(EnclaveError):
    """QEMU turned the command down; `error` is its `{"class", "desc"}`."""

    def __init__(self, error: Mapping[str, Any], command: str) -> None:
        super().__init__(
            str(error.get("desc", "")), f"`:help {command}` in `enclave qmp` shows what it understands"
        )
        self.error = dict(error)


class Exchange:
    """Good for one command."""

    def __init__(self, path: Path) -> None:
        self.abandoned = False
        self._path = path
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)

    def abandon(self) -> None:
        """Has a `run` in another thread fail. QEMU may still do what it was asked for."""
        self.abandoned = True
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)

    def run(self, command: str, arguments: Mapping[str, Any], answer_s: float = ANSWER_DEADLINE_S) -> Any:
        """What QEMU returns. Raises NoMonitor, Refused, DeadlineError; EnclaveError if QEMU ends first."""
        with closing(self._socket):
            self._connect()
            with self._socket.makefile("rb") as lines:
                self._socket.settimeout(GREETING_DEADLINE_S)
                self._greet(lines)
                self._socket.settimeout(answer_s)
                return self._ask(lines, command, arguments, answer_s)

    def _connect(self) -> None:
        # A queue that is full makes connect(2) wait, which only the socket's own timeout for sending ends.
        timeout = struct.pack("@ll", int(GREETING_DEADLINE_S), 0)
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_SNDTIMEO, timeout)
        try:
            self._socket.connect(str(self._path))
        except (FileNotFoundError, ConnectionRefusedError) as error:
            raise NoMonitor(f"no QEMU listens at {self._path}", ASK_STATUS) from error
        except BlockingIOError:
            raise self._taken() from None

    def _greet(self, lines: BinaryIO) -> None:
        try:
            greeting = lines.readline(LINE_MAX)
            if b'"QMP"' in greeting:
                self._send("qmp_capabilities", {})
                self._answer(lines)
                return
        except TimeoutError:
            raise self._taken() from None
        except OSError:
            pass
        raise NoMonitor(f"QEMU closed {self._path}", ASK_STATUS)

    def _taken(self) -> DeadlineError:
        return DeadlineError(
            f"QEMU did not greet within {GREETING_DEADLINE_S:g} s at {self._path}",
            "it serves one client at a time there: another program has it, or QEMU is stopped or busy",
        )

    def _ask(self, lines: BinaryIO, command: str, arguments: Mapping[str, Any], answer_s: float) -> Any:
        try:
            self._send(command, arguments)
            answer = self._answer(lines)
        except TimeoutError:
            raise DeadlineError(
                f"QEMU did not answer `{command}` within {answer_s:g} s", ASK_STATUS
            ) from None
        except OSError:
            answer = {}
        if "error" in answer:
            raise Refused(answer["error"], command)
        if "return" not in answer:
            raise EnclaveError(f"QEMU ended before it answered `{command}`", ASK_STATUS)
        return answer["return"]

    def _send(self, command: str, arguments: Mapping[str, Any]) -> None:
        request = {"execute": command, "arguments": arguments} if arguments else {"execute": command}
        self._socket.sendall(json.dumps(request).encode() + b"\n")

    def _answer(self, lines: BinaryIO) -> dict[str, Any]:
        """The answer; events, which the supervisor tells too, are passed over. Empty if QEMU hung up."""
        while line := lines.readline(LINE_MAX):
            answer: dict[str, Any] = json.loads(line)
            if "event" not in answer:
                return answer
        return {}
