# SPDX-License-Identifier: Apache-2.0
"""What every verb of the command line has with one meaning: -q, -v, colours.

-q  only what was asked for, and errors: no progress, no advice; a verb that does something says nothing
-v  on stderr, what is done for it: requests to the supervisor, processes that are started, every event,
    and behind an error the exception that it came of
"""

import os
import sys
from typing import Any

import click

_QUIET, _VERBOSE = "orchestrator.quiet", "orchestrator.verbose"


def add_to(command: click.Command) -> None:
    """Gives a verb, or a group and all its verbs, the options that all have."""
    if isinstance(command, click.Group):
        for verb in command.commands.values():
            add_to(verb)
    else:
        command.params += options()


def options() -> list[click.Parameter]:
    return [
        click.Option(
            ["-q", "--quiet"], is_flag=True, expose_value=False, callback=_note(_QUIET),
            help="Say only what was asked for, and errors.",
        ),
        click.Option(
            ["-v", "--verbose"], is_flag=True, expose_value=False, callback=_note(_VERBOSE),
            help="Tell on stderr what is done.",
        ),
    ]  # fmt: skip


def _note(key: str) -> Any:
    def callback(ctx: click.Context, option: click.Parameter, given: bool) -> None:
        if not given:
            return
        ctx.meta[key] = True
        if ctx.meta.get(_QUIET) and ctx.meta.get(_VERBOSE):
            raise click.UsageError("-q and -v contradict each other", ctx)
        if key == _VERBOSE:
            sys.addaudithook(_tell)

    return callback


def is_quiet() -> bool:
    return _is(_QUIET)


def is_verbose() -> bool:
    return _is(_VERBOSE)


def _is(key: str) -> bool:
    ctx = click.get_current_context(silent=True)
    return ctx is not None and bool(ctx.meta.get(key))


def say(text: str, err: bool = False) -> None:
    """What nobody asked for in so many words: that something is done, what could be next."""
    if not is_quiet():
        click.echo(text, err=err)


def _tell(event: str, details: tuple[Any, ...]) -> None:
    """An audit hook (sys.audit): of all processes that are started here, and of requests (client.py)."""
    if event == "subprocess.Popen":
        import shlex

        _, argv, _, _ = details
        click.echo(f"runs: {shlex.join(map(os.fsdecode, argv))}", err=True)
    elif event == "enclave.request":
        name, request = details
        asked = {key: value for key, value in request.items() if key != "verb" and value not in (None, False)}
        words = " ".join(f"{key}={value}" for key, value in asked.items())
        click.echo(f"asks enclave {name}: {request['verb']} {words}".rstrip(), err=True)


def colour(wanted: str) -> bool | None:
    """Whether to colour, None for: only on a terminal. `wanted` is the user's setting: auto, always, never.

    NO_COLOR wins over FORCE_COLOR (no-color.org, force-color.org), and both over the setting.
    """
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return {"auto": None, "always": True, "never": False}[wanted]
