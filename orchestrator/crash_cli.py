# SPDX-License-Identifier: Apache-2.0
"""The verbs `enclave crash` and `enclave dump`: what went wrong in a run, and the memory of it."""

import json
from pathlib import Path

import click

from orchestrator import cli_options, habits
from orchestrator.client import Client
from orchestrator.errors import UsageError
from orchestrator.run import RunFolder, list_runs
from orchestrator.selection import connect, find_partition

_enclave, _json, _partition = cli_options.enclave, cli_options.as_json, cli_options.partition


@click.command()
@click.argument("run", required=False, shell_complete=cli_options.complete_run)
@click.option("-n", "--number", type=click.IntRange(1), metavar="N", help="Crash N; the newest if not given.")
@click.option("--list", "listed", is_flag=True, help="All that there are, a line each.")
@_json
def crash(run: str | None, number: int | None, listed: bool, as_json: bool) -> None:
    """Tell what died in an enclave, when, why and where; also after `down`.

    RUN is the name of an enclave; the one that crashed if there is only one.
    """
    from orchestrator.crash_folder import bundles_of, load_story
    from orchestrator.crash_story import listed as as_list
    from orchestrator.crash_story import screen

    folder = _find_run(run)
    if folder.is_running():
        # What has just happened may be about to be written down.
        Client.connect(folder).settle()
    stories = [load_story(bundle) for bundle in bundles_of(folder)]
    if not stories:
        raise UsageError(f"enclave {folder.name} has no crashes", "`enclave status` shows how it is")
    if listed:
        click.echo(json.dumps(stories, indent=2) if as_json else as_list(stories))
        return
    numbers = [story["number"] for story in stories]
    if number is not None and number not in numbers:
        raise UsageError(
            f"enclave {folder.name} has no crash {number}", f"it has: {', '.join(map(str, numbers))}"
        )
    story = stories[numbers.index(number)] if number else stories[-1]
    if as_json:
        click.echo(json.dumps(story, indent=2))
        return
    click.echo(screen(story))
    if len(stories) > 1 and number is None:
        click.echo(f"\n{as_list(stories)}\nthe others: enclave crash {folder.name} -n N")


def _find_run(name: str | None) -> RunFolder:
    """Of that name, or the only one that has crashes; running or not. Raises UsageError."""
    from orchestrator.crash_folder import bundles_of

    runs = list_runs()
    if name is not None:
        if name not in [run.name for run in runs]:
            names = ", ".join(run.name for run in runs)
            raise UsageError(f"there is no run of an enclave {name!r}", f"there are: {names or 'none'}")
        return RunFolder(name)
    for run in runs:
        if run.is_running():
            Client.connect(run).settle()
    crashed = [run for run in runs if bundles_of(run)]
    if not crashed:
        raise UsageError(
            "no enclave has crashed, or `up` or `gc` has removed what was left of it",
            "`enclave status` shows how one that runs is",
        )
    if len(crashed) > 1:
        names = ", ".join(run.name for run in crashed)
        raise UsageError(f"several enclaves have crashed: {names}", "say which: enclave crash NAME")
    return crashed[0]


@click.command()
@_partition
@click.argument("file", type=click.Path(path_type=Path))
@_enclave
@_json
def dump(partition: str, file: Path, enclave: str | None, as_json: bool) -> None:
    """Write a partition's memory and registers into FILE, an ELF core for gdb.

    Of one that runs, hangs, panicked or met a triple fault; it stands still meanwhile. Not after a restart.
    """
    client = connect(enclave)
    found = find_partition(client.status(), partition)
    target = file.absolute()
    if target.exists() or not target.parent.is_dir():
        what = "is there already" if target.exists() else "cannot be made: its folder is not there"
        raise UsageError(f"{file} {what}", "name a new file, with room for all memory of the partition")
    try:
        client.dump(partition, target)
    except BaseException:
        target.unlink(missing_ok=True)
        raise
    target.chmod(0o600)
    size, kernel = target.stat().st_size, found["kernel_file"]
    if as_json:
        click.echo(json.dumps({"file": str(target), "size_bytes": size, "kernel": kernel}, indent=2))
    else:
        habits.say(f"{target}: {size >> 20} MiB\nnext:\n  gdb {kernel} {target}")
