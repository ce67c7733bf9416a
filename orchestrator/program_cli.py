# SPDX-License-Identifier: Apache-2.0
"""Programs in an enclave: the verb `push`, and what `exec` says to an LWK."""

import stat
from pathlib import Path
from typing import Any

import click

from orchestrator import cli_options
from orchestrator.errors import UsageError
from orchestrator.kinds import KernelKind
from orchestrator.selection import connect, find_host

_enclave = cli_options.enclave

cpus_option = click.option(
    "--cpus", metavar="LIST", help="On these CPUs of an LWK, as it counts them: 1-3,5."
)
local_option = click.option(
    "--local", metavar="CALLS", help="System calls that the LWK itself makes, if it can: getpid,96."
)
offload_option = click.option("--offload", metavar="CALLS", help="... or that Linux makes for it, if it can.")
trace_option = click.option("--trace", is_flag=True, help="Show each system call of a program on an LWK.")
summary_option = click.option("--trace-summary", is_flag=True, help="... or how many of each there were.")


def on_lwk(
    found: dict[str, Any],
    command: tuple[str, ...],
    *,
    lists: dict[str, str | None],
    trace: bool,
    summary: bool,
) -> tuple[str, ...] | None:
    """What the host has to run so that `command` runs in a partition; None if that runs Linux itself.

    `found` is the partition's part of the status, `lists` what lwkexec's options of those names are to be.
    Raises UsageError for options that Linux does not have.
    """
    given = {option: value for option, value in lists.items() if value is not None}
    if KernelKind(found["kernel"]) != KernelKind.LWK:
        if given or trace or summary:
            raise UsageError(
                f"--cpus, --local, --offload and --trace are for an LWK: {found['name']} runs none",
                "in Linux, taskset and strace do what --cpus and --trace do",
            )
        return None
    options = [word for option in given.items() for word in option]
    if summary:
        options.append("--trace=summary")
    elif trace:
        options.append("--trace")
    return ("lwkexec", "-p", found["name"], *options, "--", *command)


@click.command()
@click.argument(
    "files", nargs=-1, required=True, type=click.Path(exists=True, dir_okay=False, path_type=Path)
)
@click.option("--to", "folder", default=".", show_default=True, metavar="FOLDER", help="Where on the host.")
@_enclave
def push(files: tuple[Path, ...], folder: str, enclave: str | None) -> None:
    """Copy files to the Linux host, where programs of every partition find them: ./a.out stays ./a.out."""
    from orchestrator import ssh as linux

    host = find_host(connect(enclave).status())
    with linux.connect(linux.Endpoint.of_partition(host)) as session:
        for file in files:
            target = f"{folder}/{file.name}"
            # A program that runs may not be written to: a new file takes its place.
            session.put(file, f"{target}.new")
            mode = stat.S_IMODE(file.stat().st_mode)
            session.check("chmod", f"{mode:o}", f"{target}.new")
            session.check("mv", "-f", f"{target}.new", target)
