# SPDX-License-Identifier: Apache-2.0
"""QMP commands for the partitions of an enclave: whom a line means, whether it can be sent, answers."""

import threading
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from typing import Any, NamedTuple

from orchestrator.client import Client
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.qmp_exchange import Exchange, NoMonitor
from orchestrator.qmp_line import ALL, Line, parse
from orchestrator.qmp_schema import Json, Schema
from orchestrator.selection import find_partition

BEGIN_DEADLINE_S = 15.0  # from the start of a QEMU to its socket
RETRY_S = 0.05
HMP = "human-monitor-command"
RUN_ON = "cont"


class Command(NamedTuple):
    """What goes to QEMU, checked."""

    targets: tuple[str, ...]
    name: str
    arguments: Json


class Session:
    """`partitions` are those of the enclave, in their order."""

    def __init__(self, client: Client, partitions: Sequence[str]) -> None:
        self.client = client
        self.partitions = tuple(partitions)
        self._schema: Schema | None = None
        self._loading = threading.Lock()

    # ---- the schema ----

    @property
    def schema(self) -> Schema | None:
        """None until `load_schema` was done."""
        return self._schema

    def load_schema(self, targets: Sequence[str]) -> Schema | None:
        """Asks a partition's QEMU; any can tell, for they are the same. None if none of them runs."""
        with self._loading:
            for name in dict.fromkeys((*targets, *self.partitions)):
                if self._schema is None:
                    with suppress(EnclaveError):
                        self._schema = Schema(self._exchange(name).run("query-qmp-schema", {}))
            return self._schema

    # ---- from a line to a command ----

    def find(self, names: Sequence[str]) -> tuple[str, ...]:
        """The partitions of these names; of `all`, every one. Raises UsageError."""
        for name in names:
            if name != ALL and name not in self.partitions:
                raise UsageError(
                    f"enclave {self.client.run.name} has no partition {name!r}",
                    f"it has: {', '.join(self.partitions)}; or {ALL}",
                )
        return self.partitions if ALL in names else tuple(dict.fromkeys(names))

    def read(self, line: str, targets: Sequence[str]) -> Command:
        """A command for `targets`, or those that it names. Raises UsageError if QEMU would not take it."""
        return self.check(parse(line), targets)

    def check(self, line: Line, targets: Sequence[str]) -> Command:
        """As `read`, of a line that was taken apart; of the console's own words only `:hmp` is taken."""
        meant = self.find(line.targets) or tuple(targets)
        if line.own == "hmp":
            if not line.text:
                raise UsageError(":hmp needs a command of the human monitor", ":hmp info mtree")
            return Command(meant, HMP, {"command-line": line.text})
        if line.own:
            raise UsageError(
                f":{line.own} is for the prompt", "commands of QMP, and :hmp, are for scripts too"
            )
        if not line.command:
            raise UsageError("no command for QEMU", "as in: query-status")
        schema = self._schema or self.load_schema(meant)
        arguments = schema.arguments(line.command, line.arguments) if schema else line.arguments
        return Command(meant, line.command, arguments)

    # ---- answers ----

    def run(self, command: Command) -> Mapping[str, Any]:
        """What each target answered, or the EnclaveError why it did not; all are asked at the same time.

        Interrupted (Ctrl-C), it waits no more; the QEMUs may still do what they were asked for.
        """
        exchanges = {name: self._exchange(name) for name in command.targets}
        with ThreadPoolExecutor(len(exchanges)) as pool:
            futures = {
                name: pool.submit(self._run, name, exchange, command) for name, exchange in exchanges.items()
            }
            try:
                return {name: future.result() for name, future in futures.items()}
            except KeyboardInterrupt:
                for exchange in exchanges.values():
                    exchange.abandon()
                raise

    def _exchange(self, name: str) -> Exchange:
        return Exchange(self.client.run.qmp_socket(name))

    def _run(self, name: str, exchange: Exchange, command: Command) -> Any:
        deadline = time.monotonic() + BEGIN_DEADLINE_S
        attempt = exchange
        while True:
            try:
                if command.name == RUN_ON:
                    self._require_no_debugger(name)
                return attempt.run(command.name, command.arguments)
            except NoMonitor as error:
                # A QEMU that is just being started has no socket yet, or still that of the one before.
                if exchange.abandoned or time.monotonic() > deadline:
                    return error
            except EnclaveError as error:
                return error
            try:
                self._require_qemu(name)
            except EnclaveError as error:
                return error
            time.sleep(RETRY_S)
            attempt = self._exchange(name)

    def _require_no_debugger(self, name: str) -> None:
        """Raises UsageError if gdb has stopped it: gdb would go on to think so, and wait for ever."""
        found = find_partition(self.client.status(), name)
        if found["debugger"] == "stopped":
            raise UsageError(
                f"{name} is stopped in gdb (process {found['debugger_pid']})",
                "`continue` or `detach` there lets it run",
            )

    def _require_qemu(self, name: str) -> None:
        """Raises UsageError if none runs that partition, or could be about to."""
        found = find_partition(self.client.status(), name)
        if found["pid"] is None and found["state"] != "BOOTING":
            raise UsageError(
                f"no QEMU runs {name}: it is {found['state']}, {found['reason']}",
                f"`enclave restart {name}` boots it again",
            )
