# SPDX-License-Identifier: Apache-2.0
"""Options and arguments that several verbs of the command line have, and how a shell completes them."""

import json
import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from orchestrator.errors import EnclaveError, UsageError
from orchestrator.run import RunFolder, list_runs
from orchestrator.settings import settings_file

if TYPE_CHECKING:
    from click.shell_completion import CompletionItem
    from rich.console import Console

SPEC_SUFFIX = ".yaml"


# ---- completion: quick, and silent about whatever is wrong ----


def _runs(ctx: click.Context) -> Iterator[RunFolder]:
    """The enclave that is named already, or all that run."""
    named = ctx.params.get("enclave")
    with suppress(EnclaveError, OSError):
        for run in list_runs():
            if run.name == named or (named is None and run.is_running()):
                yield run


def complete_enclave(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of enclaves that run."""
    with suppress(EnclaveError, OSError):
        return [run.name for run in list_runs() if run.is_running() and run.name.startswith(incomplete)]
    return []


def complete_partition(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of partitions, out of the run folder: nobody is asked, who might be slow to answer."""
    names = []
    for run in _runs(ctx):
        with suppress(OSError, ValueError):
            names += [each["name"] for each in json.loads(run.plan.read_text())["partitions"]]
    return sorted({name for name in names if name.startswith(incomplete)})


def complete_partitions(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Of a list with commas, its last name; `all` too, unless others were named."""
    before, comma, last = incomplete.rpartition(",")
    named = before.split(",")
    names = [name for name in complete_partition(ctx, param, last) if name not in named]
    everything = ["all"] if names and not comma and "all".startswith(last) else []
    return [f"{before}{comma}{name}" for name in [*names, *everything]]


def complete_partition_of_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of partitions in the spec that the line names, or the settings."""
    from orchestrator.planning import load_plan

    # Where the option itself is what is completed, click has not got to the arguments.
    spec = ctx.params.get("spec") or next(iter(ctx.args), None) or (ctx.default_map or {}).get("spec")
    with suppress(EnclaveError, OSError):
        if spec:
            partitions = load_plan(Path(spec), ctx.params.get("defines") or (), None).partitions
            return [each.name for each in partitions if each.name.startswith(incomplete)]
    return []


def complete_run(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Names of enclaves, also of those that are down."""
    with suppress(EnclaveError, OSError):
        return [run.name for run in list_runs() if run.name.startswith(incomplete)]
    return []


def complete_spec(ctx: click.Context, param: click.Parameter, incomplete: str) -> "list[CompletionItem]":
    """Spec files; where there is none, folders."""
    from click.shell_completion import CompletionItem

    folder = os.path.dirname(incomplete)
    with suppress(OSError):
        names = sorted(
            entry.name
            for entry in os.scandir(folder or ".")
            if entry.name.endswith(SPEC_SUFFIX) and entry.is_file()
        )
        paths = [os.path.join(folder, name) for name in names]
        # First the folders: to bash it means "if nothing else fits".
        found = [path for path in paths if path.startswith(incomplete)]
        return [CompletionItem(incomplete, type="dir"), *map(CompletionItem, found)]
    return []


# ---- options and arguments ----

enclave = click.option(
    "-e", "--enclave", metavar="NAME", help="Which enclave; needed when several run.",
    shell_complete=complete_enclave,
)  # fmt: skip
as_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
partition = click.argument("partition", shell_complete=complete_partition)


def _require_spec(ctx: click.Context, param: click.Parameter, value: Path | None) -> Path | None:
    if value is None and not ctx.resilient_parsing:
        raise UsageError(
            "no spec was named",
            f"name one: enclave {ctx.info_name} specs/duo.yaml; or set `spec` in {settings_file()}",
        )
    return value


def spec(command: Callable[..., Any]) -> Callable[..., Any]:
    """The argument SPEC, or what the user's settings have in its place."""
    return click.argument(
        "spec",
        type=click.Path(path_type=Path),
        required=False,
        callback=_require_spec,
        shell_complete=complete_spec,
    )(command)


def rich_console() -> "Console":
    """For stdout, coloured as all else that we print."""
    from rich.console import Console

    colour = click.get_current_context().color
    return Console(highlight=False, force_terminal=colour or None, no_color=colour is False)
