# SPDX-License-Identifier: Apache-2.0
"""The verb `enclave shell`: Python with a running enclave in it, to type at or to run a script in."""

import signal
import sys
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, NoReturn

import click

from orchestrator import cli_options
from orchestrator.errors import EnclaveError
from orchestrator.selection import connect
from orchestrator.user_folders import state_folder

if TYPE_CHECKING:
    from orchestrator.handles import Enclave

HISTORY_LINES = 10_000


@click.command()
@click.option("-c", "code", metavar="CODE", help="Run this and end, as `python -c` does.")
@cli_options.enclave
def shell(code: str | None, enclave: str | None) -> None:
    """Open a Python prompt with the enclave in it: enclave.host, enclave["lwk0"].

    The objects are those that the pytest plugin gives to tests. Without a terminal it runs the script on its
    standard input. IPython is used where it is installed.
    """
    from contextlib import closing

    from orchestrator.handles import Enclave

    with closing(Enclave(connect(enclave).run)) as handle:
        if code is not None:
            _run(code, "<command>", handle)
        elif not sys.stdin.isatty():
            _run(sys.stdin.read(), "<stdin>", handle)
        else:
            _talk(handle)


def _namespace(handle: "Enclave") -> dict[str, Any]:
    return {"__name__": "__main__", "enclave": handle}


# ---- scripts ----


def _run(code: str, name: str, handle: "Enclave") -> None:
    """Raises what the script raises, if that is told in words or ends it on purpose."""
    try:
        exec(compile(code, name, "exec"), _namespace(handle))
    except EnclaveError:
        raise
    except Exception as error:
        import traceback

        trace = error.__traceback__.tb_next if error.__traceback__ else None
        traceback.print_exception(type(error), error, trace)
        click.get_current_context().exit(EnclaveError.exit_status)


# ---- the prompt ----


def _talk(handle: "Enclave") -> None:
    banner = _banner(handle)
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _end)
    import importlib.util

    talk = _ipython if importlib.util.find_spec("IPython") else _plain
    talk(banner, handle)


def _end(number: int, frame: object) -> NoReturn:
    """Not as an interrupt: a prompt survives those."""
    sys.exit(128 + number)


def _banner(handle: "Enclave") -> str:
    names = [each["name"] for each in handle.status()["partitions"]]
    return (
        f"enclave {handle.name}: {', '.join(names)}\n"
        f'try enclave.host.succeed("uname", "-a"), enclave["{names[-1]}"].log(), help(enclave)\n'
        "Ctrl-D leaves; the enclave runs on"
    )


def _told(error: BaseException) -> str | None:
    """What an error says in words, as the other verbs show it; None for an exception that is told by where it
    was raised."""
    if isinstance(error, KeyboardInterrupt):
        return "interrupted"
    if not isinstance(error, EnclaveError):
        return None
    hints = "".join(f"\n  hint: {line}" for line in error.hint.splitlines())
    return f"enclave: {error.message}{hints}"


def _ipython(banner: str, handle: "Enclave") -> None:
    from IPython.terminal.ipapp import TerminalIPythonApp

    def tell(
        shell: Any, kind: type, error: BaseException, trace: TracebackType, tb_offset: object = None
    ) -> None:
        click.echo(_told(error), err=True)

    app = TerminalIPythonApp.instance(user_ns=_namespace(handle))
    app.initialize(argv=["--no-banner"])
    app.shell.set_custom_exc((EnclaveError, KeyboardInterrupt), tell)
    click.echo(banner)
    app.start()


def _plain(banner: str, handle: "Enclave") -> None:
    import code

    class Console(code.InteractiveConsole):
        def showtraceback(self) -> None:
            told = _told(sys.exception() or Exception())
            if told:
                self.write(f"{told}\n")
            else:
                super().showtraceback()

    namespace = _namespace(handle)
    history = state_folder() / "shell_history"
    _read_lines(namespace, history)
    try:
        Console(namespace).interact(banner, exitmsg="")
    finally:
        _keep(history)


def _read_lines(namespace: dict[str, Any], history: Path) -> None:
    """History from last time, and Tab for names."""
    import readline
    import rlcompleter

    readline.set_completer(rlcompleter.Completer(namespace).complete)
    readline.parse_and_bind("tab: complete")
    readline.set_history_length(HISTORY_LINES)
    try:
        readline.read_history_file(history)
    except OSError:
        return  # the first time


def _keep(history: Path) -> None:
    """Without a place for it, it is forgotten."""
    import readline
    from contextlib import suppress

    with suppress(OSError):
        history.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        readline.write_history_file(history)
