# SPDX-License-Identifier: Apache-2.0
"""Talks to the supervisor of a running enclave; synchronous, for the command line and for tests.

Each verb is one connection to control.sock: a request of one line of JSON, then lines of
`{"event": {...}}`, then one `{"ok": {...}}` or `{"error": {...}}`, which is raised here as the
EnclaveError it stands for. The JSON objects are described in orchestrator/supervisor.py.
"""

import json
import socket
import sys
import time
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
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
LOOK_DEADLINE_S = 5.0  # of one that a person watches
LONG_DEADLINE_S = 600.0  # between two lines of verbs that wait for kernels
CRASH_DEADLINE_S = 120.0  # of bundles, of which several may be in the making
LASTING_FACTOR = 10.0  # times as long as it should take
OVER_DEADLINE_S = 10.0  # from the last word of a supervisor to the end of its processes
ERRORS = {
    kind.exit_status: kind
    for kind in (EnclaveError, UsageError, EnvironmentFault, GuestError, DeadlineError, HangError)
}


class SupervisorLost(EnclaveError):
    """It ended, or was killed, before it answered."""


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

    def restart(self, partition: str, on_event: OnEvent = _ignore, wait_gdb: bool = False) -> Json:
        """Ends a partition, boots it again on the same ids, and returns the status when it is READY; or, with
        `wait_gdb`, when it waits for gdb before its first instruction."""
        request = {"verb": "restart", "partition": partition, "wait_gdb": wait_gdb}
        return self._call(request, on_event, LONG_DEADLINE_S)

    def command(self, partition: str, command: str) -> Json:
        """Asks a kernel for one of control.py's COMMANDS, such as "panic", and returns its answer."""
        return self._call({"verb": "command", "partition": partition, "command": command})

    def kill(self, partition: str) -> Json:
        """SIGKILLs the QEMU of a partition; returns when it is gone."""
        return self._call({"verb": "kill", "partition": partition})

    def pause(self, partition: str) -> Json:
        """Stops the CPUs of a partition until `resume`; its silence is no fault."""
        return self._call({"verb": "pause", "partition": partition})

    def resume(self, partition: str) -> Json:
        return self._call({"verb": "continue", "partition": partition})

    def add_doorbell_rule(
        self,
        source: str | None = None,
        target: str | None = None,
        vector: int | None = None,
        *,
        drop: float = 0.0,
        delay_s: float = 0.0,
        duplicate: float = 0.0,
        seed: int = 0,
    ) -> Json:
        """Faults for doorbells from now on (doorbell_faults.py); raises UsageError unless interposed."""
        meant = {"from": source, "to": target, "vector": vector}
        faults = {"drop": drop, "delay_s": delay_s, "duplicate": duplicate, "seed": seed}
        return self._call({"verb": "doorbell-rule"} | meant | faults)

    def doorbell_rules(self) -> list[Json]:
        """The rules that there are, and what each has done so far."""
        return list(self._call({"verb": "doorbell-rules"})["rules"])

    def clear_doorbell_rules(self) -> list[Json]:
        """Takes all rules away; returns what each has done."""
        return list(self._call({"verb": "doorbell-clear"})["rules"])

    def storm(self, source: str, target: str, vector: int, rate: float, seconds: float) -> int:
        """Rings a doorbell rate x seconds times, as if `source` did; returns how often, when it is over."""
        what = {"from": source, "to": target, "vector": vector}
        return self._last("storm", what, rate, seconds)

    def scribble(
        self, partition: str, group: str, seed: int, rate: float, seconds: float, peer: str | None = None
    ) -> int:
        """Writes rate x seconds random words over what a partition may write; returns how many."""
        what = {"partition": partition, "group": group, "peer": peer, "seed": seed}
        return self._last("scribble", what, rate, seconds)

    def _last(self, verb: str, what: Json, rate: float, seconds: float) -> int:
        """A fault that lasts; a busy computer may need some times as long for it."""
        request = {"verb": verb, **what, "rate": rate, "seconds": seconds}
        return int(self._call(request, deadline_s=ANSWER_DEADLINE_S + LASTING_FACTOR * seconds)["count"])

    def log(self, partition: str, follow: bool = False) -> Iterator[bytes]:
        """The kernel log in shared memory, in pieces; with `follow`, until the enclave ends."""
        with closing(self._open({"verb": "log", "partition": partition, "follow": follow})) as connection:
            while piece := connection.recv(1 << 16):
                yield piece

    def console(self, partition: str) -> socket.socket:
        """A connected stream socket: the serial console, raw, both ways. The caller closes it."""
        return self._open({"verb": "console", "partition": partition})

    def consoles(self, partitions: Sequence[str]) -> socket.socket:
        """A connected stream socket: what several consoles show, in order, the recent past first.

        Lines of JSON: `{"t": seconds since up, "partition": name, "text": piece}`; bytes that are no UTF-8
        are surrogates in it. Ends with the enclave. The caller closes it.
        """
        return self._open({"verb": "consoles", "partitions": list(partitions)})

    def events(self) -> Generator[Json]:
        """What happens from now on, each as in events.py; ends with the enclave."""
        return self._items(self._open({"verb": "events"}))

    def _items(self, connection: socket.socket) -> Generator[Json]:
        with closing(connection), connection.makefile("rb") as lines:
            while line := lines.readline(LINE_MAX):
                yield json.loads(line)

    def trace(self, partition: str, follow: bool = False) -> Generator[Json]:
        """The messages that a partition traced, each as Record.as_json (ikc_trace.py) or {"lost": how many}.

        With `follow` it traces those from now on, for as long as this iterator is not closed.
        """
        request = {"verb": "trace", "partition": partition, "follow": follow}
        yield from self._items(self._open(request))

    def report(self, partition: str) -> Json:
        """What a kernel found of CPUs, memory and distances: `struct ikc_report`, its own numbering."""
        return self._call({"verb": "report", "partition": partition})

    def look(self) -> Json:
        """What the enclave has done so far, in numbers that grow (look.py)."""
        return self._call({"verb": "look"}, deadline_s=LOOK_DEADLINE_S)

    def profile(self) -> Json:
        """Where the time of the boot went: `partitions`, each as Boot (profile.py), and when it `began`."""
        return self._call({"verb": "profile"})

    def death(self, partition: str) -> None:
        """Returns when a partition's present life is over; raises GuestError if nobody asked for that."""
        self._call({"verb": "death", "partition": partition}, deadline_s=None)

    def dump(self, partition: str, file: Path) -> None:
        """Has QEMU write memory and registers into a file, an ELF core; the CPUs stand still meanwhile."""
        self._call({"verb": "dump", "partition": partition, "file": str(file)}, deadline_s=LONG_DEADLINE_S)

    def settle(self) -> None:
        """Returns when no crash bundle is being made."""
        self._call({"verb": "settle"}, deadline_s=CRASH_DEADLINE_S)

    def down(self, on_event: OnEvent = _ignore) -> Json:
        """Ends the enclave in good order; returns how each partition ended, when all is gone.

        Of one that was ending already, or whose supervisor is killed meanwhile, no partition is told of.
        """
        if not self.run.is_running():
            raise _not_running(self.run)
        try:
            result = self._ask_to_end(on_event)
        except SupervisorLost:
            result = {"partitions": {}}
        self.run.wait_until_over(OVER_DEADLINE_S)
        return result

    def _ask_to_end(self, on_event: OnEvent) -> Json:
        """Who has claimed the run may not listen yet, or not any more. Raises SupervisorLost."""
        deadline = time.monotonic() + OVER_DEADLINE_S
        while True:
            try:
                return self._call({"verb": "down"}, on_event, LONG_DEADLINE_S)
            except NotRunning:
                if not self.run.is_running() or time.monotonic() > deadline:
                    raise self._lost({"verb": "down"}) from None
                time.sleep(0.01)

    def _call(
        self, request: Json, on_event: OnEvent = _ignore, deadline_s: float | None = ANSWER_DEADLINE_S
    ) -> Json:
        with closing(self._send(request)) as connection, connection.makefile("rb") as lines:
            connection.settimeout(deadline_s)
            for line in self._lines(lines, request, deadline_s):
                answer = json.loads(line)
                if "event" not in answer:
                    return result_of(answer)
                on_event(answer["event"])
        raise self._lost(request)

    def _lines(self, lines: BinaryIO, request: Json, deadline_s: float | None) -> Iterator[bytes]:
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
        # For -v (habits.py). `logging` would take a tenth of the time of `enclave status` to load.
        sys.audit("enclave.request", self.run.name, request)
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            connection.connect(str(self.run.control_socket))
            connection.sendall(json.dumps(request).encode() + b"\n")
        except OSError as error:
            connection.close()
            raise _not_running(self.run) from error
        return connection

    def _lost(self, request: Json) -> SupervisorLost:
        return SupervisorLost(
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
