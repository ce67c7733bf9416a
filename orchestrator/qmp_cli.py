# SPDX-License-Identifier: Apache-2.0
"""The verb `enclave qmp`: a prompt for QEMU's monitor, or a script's commands, answered by lines of JSON."""

import json
import os
import sys
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

import click

from orchestrator import cli_options
from orchestrator.errors import EnclaveError
from orchestrator.selection import connect, find_host

if TYPE_CHECKING:
    from orchestrator.qmp_session import Command, Session


@click.command()
@click.argument("partition", required=False, shell_complete=cli_options.complete_partitions)
@click.option("-c", "--command", "lines", metavar="LINE", multiple=True, help="Do this and end; repeatable.")
@cli_options.enclave
def qmp(partition: str | None, lines: tuple[str, ...], enclave: str | None) -> None:
    """Talk to QEMU's monitor (QMP) of a partition, several (lwk0,lwk1) or all; of the host if none is named.

    At a terminal a prompt, where Tab completes and :help explains. With -c, or from a pipe, each answer is a
    line of JSON, and the first command that fails ends it with its exit status.
    """
    from orchestrator.qmp_session import Session

    client = connect(enclave)
    status = client.status()
    session = Session(client, [each["name"] for each in status["partitions"]])
    targets = session.find(partition.split(",") if partition else [find_host(status)["name"]])
    if lines:
        # A mistake in the last must not be found when the first is done.
        _script(session, [session.read(line, targets) for line in lines])
    elif not sys.stdin.isatty():
        _script(session, (session.read(line, targets) for line in sys.stdin if line.strip()))
    else:
        from orchestrator.qmp_console import QmpConsole

        QmpConsole(session, status, targets, not os.environ.get("NO_COLOR")).run()


def _script(session: "Session", commands: "Iterable[Command]") -> None:
    """Raises the first error, when all answers to that command were printed."""
    for command in commands:
        answers = session.run(command)
        for name, answer in answers.items():
            click.echo(json.dumps({"partition": name} | _as_json(answer), ensure_ascii=False))
        sys.stdout.flush()
        for name, answer in answers.items():
            if isinstance(answer, EnclaveError):
                answer.message = f"{name}: {answer.message}"
                raise answer


def _as_json(answer: Any) -> dict[str, Any]:
    from orchestrator.qmp_exchange import Refused

    if isinstance(answer, Refused):
        return {"error": answer.error}
    if isinstance(answer, EnclaveError):
        return {"error": {"class": type(answer).__name__, "desc": answer.message}}
    return {"return": answer}
