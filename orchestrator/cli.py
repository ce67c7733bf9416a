# SPDX-License-Identifier: Apache-2.0
"""The command `enclave`: its verbs, what they print, and their exit statuses.

Only this module and progress.py print. Everything that a verb does not need is imported by those that do,
so that `enclave status` answers at once.
"""

import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, NoReturn

import click

from orchestrator import table
from orchestrator.client import Client
from orchestrator.errors import EnclaveError, EnvironmentFault, UsageError
from orchestrator.run import NotRunning, RunFolder, list_runs
from orchestrator.selection import connect, find_partition, pick, running

EXIT_STATUSES = """\b
Exit statuses:
  0  done
  1  failed
  2  what was asked cannot be used: a spec, an option, a kernel image
  3  this computer lacks something: QEMU, memory, KVM
  4  a guest kernel panicked, or ended unasked
  5  something did not happen in time
  6  a guest stopped answering
  130  interrupted
`exec` and `ssh` end with the status of their command; 128 + n means that signal n ended it."""


class _Told(click.ClickException):
    """An EnclaveError, shown as `enclave: what` and `hint: cure`, that ends the program with its status."""

    def __init__(self, error: EnclaveError) -> None:
        super().__init__(error.message)
        self._error = error

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return self._error.exit_status

    def show(self, file: Any = None) -> None:
        click.echo(f"{click.style('enclave:', fg='red')} {self._error.message}", err=True, file=file)
        for line in self._error.hint.splitlines():
            click.echo(f"  hint: {line}", err=True, file=file)


class _Verbs(click.Group):
    """Turns the errors of the project into messages and exit statuses; keeps the verbs in their order."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            return super().invoke(ctx)
        except EnclaveError as error:
            raise _Told(error) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(128 + signal.SIGINT)


@click.group(cls=_Verbs, epilog=EXIT_STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(ctx: click.Context) -> None:
    """Boots a partitioned compute node: a Linux host and lightweight kernels, in QEMU, sharing memory."""
    if os.environ.get("NO_COLOR"):
        ctx.color = False


def program() -> NoReturn:
    """What a shell calls. It ends at once: to take all modules apart in order is a quarter of `status`."""
    try:
        main()
    except SystemExit as ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 0)
    os._exit(1)


# ---- options that several verbs have ----

_enclave = click.option("-e", "--enclave", metavar="NAME", help="Which enclave; needed when several run.")
_json = click.option("--json", "as_json", is_flag=True, help="Print JSON instead of text.")
_spec = click.argument("spec", type=click.Path(path_type=Path))
_define = click.option(
    "-D", "defines", metavar="KEY=VALUE", multiple=True, help="Sets a template's variable."
)
_name = click.option("--name", help="Name of the enclave; that of the spec if not given.")
_partition = click.argument("partition")


def _show(value: Any) -> None:
    click.echo(json.dumps(value, indent=2))


def _exit(status: int) -> NoReturn:
    click.get_current_context().exit(status)
    raise AssertionError


# ---- before anything runs ----


@main.command()
@_spec
@_define
@_json
def check(spec: Path, defines: tuple[str, ...], as_json: bool) -> None:
    """Say whether a spec can be used, and if not, why."""
    from orchestrator.planning import load_plan

    plan = load_plan(spec, defines, None)
    partitions = [each.name for each in plan.partitions]
    if as_json:
        _show({"spec": str(spec), "enclave": plan.name, "partitions": partitions})
    else:
        click.echo(f"{spec}: fine; enclave {plan.name}: {', '.join(partitions)}")


@main.command()
@_spec
@_define
@_name
@click.option("--accel", type=click.Choice(["kvm", "tcg"]), default="tcg", show_default=True)
@_json
def plan(spec: Path, defines: tuple[str, ...], name: str | None, accel: str, as_json: bool) -> None:
    """Show who owns which CPU and byte, and every QEMU command line. Starts nothing."""
    from orchestrator import plan_text
    from orchestrator.planning import commands_by_hand, load_plan

    resolved = load_plan(spec, defines, name)
    commands = commands_by_hand(resolved, accel)
    if as_json:
        _show(plan_text.as_json(resolved, commands))
    else:
        click.echo(plan_text.as_text(resolved, commands))


@main.command()
def schema() -> None:
    """Print the JSON Schema of a spec, for editors."""
    from orchestrator.spec import json_schema

    _show(json_schema())


@main.command()
@_json
def doctor(as_json: bool) -> None:
    """Try what this computer can do, and say what to do about what it cannot."""
    from dataclasses import asdict

    from orchestrator.doctor import Level, examine

    colours = {Level.OK: "green", Level.NOTE: "yellow", Level.FAULT: "red"}
    findings = []
    for finding in examine():
        findings.append(finding)
        if not as_json:
            level = click.style(f"{finding.level:5}", fg=colours[finding.level])
            click.echo(f"{level}  {finding.subject}: {finding.found}")
            for line in finding.cure.splitlines():
                click.echo(f"         {line}")
    if as_json:
        _show([asdict(finding) for finding in findings])
    if any(finding.level is Level.FAULT for finding in findings):
        _exit(EnvironmentFault.exit_status)


# ---- the life of an enclave ----


@main.command()
@_spec
@_define
@_name
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), default="auto", show_default=True)
@_json
def up(spec: Path, defines: tuple[str, ...], name: str | None, accel: str, as_json: bool) -> None:
    """Build what is missing, boot an enclave, and leave it running."""
    from orchestrator.standby import standby

    with _terminated_like_interrupted(), standby() as waiting:
        from orchestrator.planning import current_plan
        from orchestrator.progress import Progress

        progress = Progress()
        plan = current_plan(spec, defines, name)
        run = RunFolder(plan.name)
        if run.is_running():
            click.echo(f"enclave {run.name} is running already; nothing was changed", err=True)
            status = Client.connect(run).status()
        else:
            progress.step("check", f"{spec}: {', '.join(each.name for each in plan.partitions)}")
            from orchestrator.launch import launch

            status = launch(waiting, plan, run, accel, progress)
    _show_status(status, as_json)
    if not as_json:
        click.echo(f"\n{table.next_commands(status)}")


@contextmanager
def _terminated_like_interrupted() -> Iterator[None]:
    """Whoever ends us by a signal gets the enclave taken down as by Ctrl-C."""

    def interrupt(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    # Under nohup SIGHUP is ignored, and stays so.
    numbers = [n for n in (signal.SIGTERM, signal.SIGHUP) if signal.getsignal(n) is not signal.SIG_IGN]
    before = {number: signal.signal(number, interrupt) for number in numbers}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


@main.command()
@_enclave
@_json
def status(enclave: str | None, as_json: bool) -> None:
    """Show the partitions, their states and their links."""
    _show_status(connect(enclave).status(), as_json)


def _show_status(status: dict[str, Any], as_json: bool) -> None:
    if as_json:
        _show(status)
    else:
        click.echo(f"enclave {status['enclave']}, {status['accelerator']}, {status['run_folder']}")
        click.echo(table.partitions(status))


@main.command()
@click.argument("name", required=False)
@click.option("--all", "everything", is_flag=True, help="Every enclave of yours.")
def down(name: str | None, everything: bool) -> None:
    """End an enclave. Its logs stay in the run folder until the next `up` or `gc`."""
    runs = running() if everything else [pick(name)]
    for run in runs:
        Client.connect(run).down()
        click.echo(f"enclave {run.name} is down; its logs: {run.path}")


@main.command()
def gc() -> None:
    """Remove the run folders, with their logs, of enclaves that do not run."""
    for run in list_runs():
        if not run.is_running():
            run.remove()
            click.echo(f"removed {run.path}")


# ---- one partition ----


@main.command()
@_partition
@_enclave
@_json
def restart(partition: str, enclave: str | None, as_json: bool) -> None:
    """Boot one partition again, in whatever state it is. The others run on."""
    from orchestrator.progress import Progress

    client = connect(enclave)
    find_partition(client.status(), partition)
    _show_status(client.restart(partition, Progress().event), as_json)


@main.command()
@_partition
@click.argument("fault", type=click.Choice(["panic", "hang", "kill"]))
@_enclave
def fault(partition: str, fault: str, enclave: str | None) -> None:
    """Make a partition fail: its kernel panics or hangs, or its QEMU is killed."""
    client = connect(enclave)
    find_partition(client.status(), partition)
    if fault == "kill":
        client.kill(partition)
    else:
        client.command(partition, fault)


@main.command()
@_partition
@_enclave
@click.option("-f", "--follow", is_flag=True, help="Go on with what is written from now on.")
def log(partition: str, enclave: str | None, follow: bool) -> None:
    """Print a kernel's log, also of a dead one; after `down`, with -e NAME, the log as it was at the end."""
    run = pick(enclave)
    out = sys.stdout.buffer
    for piece in _log_pieces(run, partition, follow):
        out.write(piece)
        out.flush()


def _log_pieces(run: RunFolder, partition: str, follow: bool) -> Iterator[bytes]:
    if run.is_running():
        client = Client.connect(run)
        find_partition(client.status(), partition)
        yield from client.log(partition, follow)
        return
    try:
        yield run.kernel_log(partition).read_bytes()
    except OSError:
        message = f"enclave {run.name} is not running, and left no kernel log of {partition!r}"
        raise NotRunning(message, f"look in {run.path}") from None


@main.command()
@_partition
@_enclave
def console(partition: str, enclave: str | None) -> None:
    """Join the terminal to a partition's serial console. Ctrl-] leaves it."""
    from orchestrator import terminal

    client = connect(enclave)
    found = find_partition(client.status(), partition)
    with client.console(partition) as stream:
        click.echo(f"console of {partition}; leave it with Ctrl-]", err=True)
        detached = terminal.relay(
            stream,
            sys.stdin.fileno(),
            sys.stdout.fileno(),
            detach=terminal.DETACH,
            # Linux ends its lines as a terminal wants it; the LWK, and perhaps others, as a file does.
            bare_newlines=found["kernel"] != "linux",
        )
    click.echo(f"\r\n{'left' if detached else 'the end of'} the console of {partition}", err=True)


# ---- inside the host ----


@main.command()
@click.argument("command", nargs=-1)
@_enclave
def ssh(command: tuple[str, ...], enclave: str | None) -> None:
    """Open a shell on the Linux host, or run a line of shell there: enclave ssh -- 'uname -a | wc'."""
    _exit(_in_host(enclave, " ".join(command)))


@main.command(name="exec")
@_partition
@click.argument("command", nargs=-1, required=True)
@_enclave
def exec_(partition: str, command: tuple[str, ...], enclave: str | None) -> None:
    """Run a command with exactly these arguments: enclave exec host -- printf %s 'a  b'."""
    from orchestrator.ssh import shell_command

    found = find_partition(connect(enclave).status(), partition)
    if not found["is_host"]:
        raise UsageError(f"{partition} runs no Linux: there is nothing to execute a command", "use the host")
    _exit(_in_host(enclave, shell_command(command)))


@main.command()
@_partition
@click.option("-c", "--count", default=4, show_default=True, help="How many messages.")
@_enclave
@_json
def ping(partition: str, count: int, enclave: str | None, as_json: bool) -> None:
    """Send messages from the host to a partition and back, through shared memory."""
    from orchestrator.ssh import shell_command

    find_partition(connect(enclave).status(), partition)
    words = ("ikcctl", "ping", partition, "-c", str(count), *(["--json"] if as_json else []))
    _exit(_in_host(enclave, shell_command(words)))


def _in_host(enclave: str | None, command: str) -> int:
    from orchestrator import ssh as host

    with host.connect(host.Endpoint.of_status(connect(enclave).status())) as session:
        if not command and sys.stdin.isatty():
            return session.shell(sys.stdin.fileno(), sys.stdout.fileno())
        out, err = sys.stdout.buffer, sys.stderr.buffer
        return session.attach(command or "exec sh", sys.stdin.fileno(), out, err)
