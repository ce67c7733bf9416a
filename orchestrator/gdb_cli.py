# SPDX-License-Identifier: Apache-2.0
"""The verb `enclave gdb`: it becomes gdb, with a kernel's symbols and our commands."""

import json
import os
from pathlib import Path
from typing import Any

import click

from orchestrator import cli_options
from orchestrator.errors import EnclaveError, EnvironmentFault, UsageError
from orchestrator.kinds import KernelKind
from orchestrator.selection import connect, find_partition

INSTALL = "sudo apt-get install gdb"
COMMANDS = Path(__file__).parent / "in_gdb" / "start.py"

wait_gdb_option = click.option(
    "--wait-gdb",
    metavar="PARTITION",
    multiple=True,
    help="Stop this one before its first instruction, for `enclave gdb`.",
    shell_complete=cli_options.complete_partition_of_spec,
)


@click.command()
@cli_options.partition
@click.argument("arguments", nargs=-1, metavar="[-- GDB'S ARGUMENTS]", type=click.UNPROCESSED)
@cli_options.enclave
def gdb(partition: str, arguments: tuple[str, ...], enclave: str | None) -> None:
    """Debug a partition's kernel: enclave gdb lwk0 -- -batch -ex 'lwk ps'.

    The partition stops when gdb comes, and runs on when gdb goes. In gdb, `help lwk` and `help ikc` list what
    there is beside gdb's own commands.
    """
    program = _find_gdb()
    found = find_partition(connect(enclave).status(), partition)
    _require_free(found)
    symbols = _symbols(found)
    command = [
        program,
        "-q",
        *_settings(),
        *symbols,
        "-x",
        str(COMMANDS),
        "-ex",
        "enclave attach",
        *arguments,
    ]
    os.execve(program, command, os.environ | {"ENCLAVE_GDB": json.dumps(_about(found, symbols))})


def _find_gdb() -> str:
    """Raises EnvironmentFault unless there is a gdb that runs our commands."""
    import shutil
    import subprocess

    program = shutil.which("gdb")
    if program is None:
        raise EnvironmentFault("gdb is not on this computer", INSTALL)
    asked = subprocess.run([program, "--configuration"], capture_output=True, text=True, check=False)
    if "--with-python=" not in asked.stdout:
        raise EnvironmentFault(f"{program} was built without Python: it cannot run our commands", INSTALL)
    return program


def _require_free(partition: dict[str, Any]) -> None:
    name = partition["name"]
    if partition["pid"] is None:
        raise UsageError(
            f"no QEMU runs {name}: {partition['reason']}", f"`enclave restart {name}` boots it again"
        )
    if partition["debugger_pid"] is not None:
        raise UsageError(
            f"{name} is in another gdb (process {partition['debugger_pid']})",
            f"`detach` there, or `kill {partition['debugger_pid']}`: the partition runs on",
        )


def _settings() -> list[str]:
    from orchestrator.lwk import ROOT

    guest_kernels = ROOT / "guest-kernels"
    settings = (
        f"set substitute-path lwk {guest_kernels / 'lwk'}",
        f"set substitute-path linux {guest_kernels / 'linux'}",
        "set pagination off",
        # A virtual machine may wait for its turn on a busy computer.
        "set remotetimeout 30",
        # A dump of a large structure is no reason to ask.
        "set print pretty on",
    )
    return [word for setting in settings for word in ("-iex", setting)]


def _symbols(partition: dict[str, Any]) -> list[str]:
    """gdb's arguments that load what symbols there are."""
    kernel = Path(partition["kernel_file"])
    kind = KernelKind(partition["kernel"])
    if kind.runs_linux:
        from orchestrator.linux_symbols import ensure_symbols

        return [str(ensure_symbols(kernel, partition["kernel_release"]))]
    if kind is KernelKind.LWK or _is_elf(kernel):
        return [str(kernel)]
    click.echo(f"enclave: {kernel} is no ELF file: there are no symbols", err=True)
    return []


def _is_elf(path: Path) -> bool:
    try:
        with path.open("rb") as file:
            return file.read(4) == b"\x7fELF"
    except OSError as error:
        raise EnclaveError(
            f"cannot read {path}: {error.strerror}", "it is the kernel that was booted: is it gone?"
        ) from error


def _about(partition: dict[str, Any], symbols: list[str]) -> dict[str, Any]:
    """What in_gdb/attach.py is to know."""
    from orchestrator.host_programs import module_with_lines
    from orchestrator.lwk import BUILD

    about = {key: partition[key] for key in ("name", "gdb_socket", "debugger")}
    about["runs_linux"] = KernelKind(partition["kernel"]).runs_linux
    about["symbols"] = symbols[0] if symbols else ""
    about["module"] = str(module_with_lines(BUILD, str(partition["kernel_release"])))
    return about
