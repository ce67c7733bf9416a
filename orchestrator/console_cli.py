# SPDX-License-Identifier: Apache-2.0
"""The verb `enclave console`: one serial console, or several, line by line or on a split screen."""

import sys
from collections.abc import Callable, Sequence
from contextlib import ExitStack, suppress
from typing import TYPE_CHECKING, Any

import click

from orchestrator import cli_options
from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.kinds import KernelKind
from orchestrator.partition_colours import COLOURS, names_in_colour
from orchestrator.run import RunFolder
from orchestrator.selection import connect, find_partition, pick

if TYPE_CHECKING:
    from orchestrator.console_lines import Line


@click.command()
@click.argument("partitions", nargs=-1, shell_complete=cli_options.complete_partition)
@click.option("--all", "everything", is_flag=True, help="Those of all partitions.")
@click.option("--split", is_flag=True, help="Each in a part of the screen, and not line by line.")
@cli_options.enclave
def console(partitions: tuple[str, ...], everything: bool, split: bool, enclave: str | None) -> None:
    """Join the terminal to serial consoles. Ctrl-] leaves.

    One console takes what is typed. Several are shown line by line, with times, on one clock; after `down`,
    with -e NAME, what the logs have. With --split what is typed goes to the one in focus: Ctrl-\\ moves on.
    """
    run = pick(enclave)
    if not partitions and not everything:
        raise UsageError("which console?", "enclave console PARTITION, or --all")
    several = everything or len(partitions) > 1
    if several and not split and not run.is_running() and run.path.is_dir():
        _show_logs(run, partitions)
        return
    client = connect(enclave)
    found = _chosen(client.status(), partitions, everything)
    if split:
        _split(client, found)
    elif several:
        _watch(client, [each["name"] for each in found])
    else:
        _attach(client, found[0])


def _chosen(status: dict[str, Any], names: Sequence[str], everything: bool) -> list[dict[str, Any]]:
    if everything:
        return list(status["partitions"])
    return [find_partition(status, name) for name in dict.fromkeys(names)]


def _bare_newlines(partition: dict[str, Any]) -> bool:
    """Linux ends its lines as a terminal wants it; the LWK, and perhaps others, as a file does."""
    return not KernelKind(partition["kernel"]).runs_linux


def _attach(client: Client, partition: dict[str, Any]) -> None:
    from orchestrator import terminal

    name = partition["name"]
    with client.console(name) as stream:
        click.echo(f"console of {name}; leave it with Ctrl-]", err=True)
        detached = terminal.relay(
            stream,
            sys.stdin.fileno(),
            sys.stdout.fileno(),
            detach=terminal.DETACH,
            bare_newlines=_bare_newlines(partition),
        )
    click.echo(f"\r\n{'left' if detached else 'the end of'} the console of {name}", err=True)


def _watch(client: Client, names: Sequence[str]) -> None:
    from orchestrator.console_watch import watch

    keyboard = sys.stdin.fileno() if sys.stdin.isatty() else None
    click.echo(f"consoles of {', '.join(names)}; leave them with Ctrl-]; --split to type", err=True)
    # Whoever reads our output may have enough of it, as `head` does.
    with client.consoles(names) as pieces, suppress(BrokenPipeError):
        left = watch(pieces, keyboard, _printer(names))
        click.echo("left the consoles" if left else "the end of the consoles", err=True)


def _show_logs(run: RunFolder, names: Sequence[str]) -> None:
    from orchestrator.console_lines import logged

    logs = run.console_logs()
    for name in names:
        if name not in logs:
            raise UsageError(
                f"enclave {run.name} is not running, and left no console log of {name!r}",
                f"it left those of: {', '.join(logs)}" if logs else f"look in {run.path}",
            )
    chosen = {name: logs[name] for name in names} or logs
    show = _printer(list(chosen))
    with suppress(BrokenPipeError):
        for line in logged(chosen):
            show(line)


def _printer(names: Sequence[str]) -> "Callable[[Line], None]":
    from orchestrator.qmp_text import stamp

    coloured = names_in_colour(names)

    def show(line: "Line") -> None:
        click.echo(f"{click.style(stamp(line.t), dim=True)} {coloured[line.partition]} {line.text}".rstrip())

    return show


def _split(client: Client, partitions: Sequence[dict[str, Any]]) -> None:
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        raise UsageError("--split needs a terminal", "without it, lines go to a file or a pipe")
    from orchestrator.console_split import Attached, split

    with ExitStack() as open_consoles:
        consoles = [
            Attached(
                each["name"],
                open_consoles.enter_context(client.console(each["name"])),
                _bare_newlines(each),
                COLOURS[at % len(COLOURS)].replace("_", ""),
            )
            for at, each in enumerate(partitions)
        ]
        left = split(consoles)
    click.echo("left the consoles" if left else "the end of the consoles", err=True)
