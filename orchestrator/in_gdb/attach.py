# SPDX-License-Identifier: Apache-2.0
"""The command `enclave attach`: gdb comes to the partition, also again after a restart of it."""

from pathlib import Path
from typing import Any

import gdb
from gdb.unwinder import register_unwinder

from orchestrator.in_gdb import linux_frames, linux_module, linux_orc
from orchestrator.in_gdb.linux_unwinder import LinuxUnwinder

Json = dict[str, Any]

FIRST_STEPS = """\
{name} has not executed an instruction. Set breakpoints (`hbreak` works before the kernel is in memory, also
under KVM), then `continue`."""


class _Enclave(gdb.Command):
    """The partition that this gdb was started for by `enclave gdb`."""

    def __init__(self) -> None:
        super().__init__("enclave", gdb.COMMAND_RUNNING, prefix=True)


class _Attach(gdb.Command):
    """enclave attach: stop the partition and debug it; also again, after `detach` or a restart of it."""

    def __init__(self, partition: Json, unwinder: LinuxUnwinder | None) -> None:
        super().__init__("enclave attach", gdb.COMMAND_RUNNING)
        self._partition = partition
        self._unwinder = unwinder
        self._symbols_of = _age(partition)

    def invoke(self, argument: str, from_tty: bool) -> None:
        name, socket = self._partition["name"], self._partition["gdb_socket"]
        if _age(self._partition) != self._symbols_of:
            # What it boots was built anew since.
            gdb.execute(f"file {self._partition['symbols']}")
            self._symbols_of = _age(self._partition)
        try:
            gdb.execute(f"target remote {socket}")
        except gdb.error as error:
            raise gdb.GdbError(
                f"{name} cannot be attached to: {error}\n"
                "`enclave status` shows whether it runs, and whether another gdb is there."
            ) from None
        if self._partition["runs_linux"]:
            try:
                linux_module.load_symbols(Path(self._partition["module"]), self._unwinder)
            except gdb.error as error:
                gdb.write(f"there are no symbols of ikc.ko: {error}\n")
        if self._partition["debugger"] == "waits":
            gdb.write(FIRST_STEPS.format(name=name) + "\n")
            self._partition["debugger"] = None


def _age(partition: Json) -> int:
    """When the file with the symbols was written, in nanoseconds; 0 if there is none."""
    try:
        return Path(partition["symbols"]).stat().st_mtime_ns
    except OSError:
        return 0


def register(partition: Json) -> None:
    _Enclave()
    unwinder = (linux_orc.of_kernel() or linux_frames.of_kernel()) if partition["runs_linux"] else None
    if unwinder is not None:
        register_unwinder(None, unwinder, replace=True)
    _Attach(partition, unwinder)
