# SPDX-License-Identifier: Apache-2.0
"""The command `enclave`: its verbs, what they print, and their exit statuses.

Only this module, its like (*_cli.py), habits.py, qmp_console.py and progress.py print. What not every verb
needs is imported by those that do, so that `enclave status` answers at once.
"""

import json
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

import click

from orchestrator import cli_options, habits, program_cli, table
from orchestrator.client import Client
from orchestrator.completion_cli import completion, man
from orchestrator.console_cli import console
from orchestrator.crash_cli import crash, dump
from orchestrator.errors import EnclaveError, EnvironmentFault, UsageError
from orchestrator.fault_cli import fault
from orchestrator.gdb_cli import gdb, wait_gdb_option
from orchestrator.ikc_cli import ikc
from orchestrator.interrupts import interruptible
from orchestrator.kinds import KernelKind
from orchestrator.qmp_cli import qmp
from orchestrator.run import NotRunning, RunFolder, list_runs
from orchestrator.selection import connect, find_host, find_partition, pick, running
from orchestrator.settings import load_settings
from orchestrator.shell_cli import shell
from orchestrator.top_cli import top

if TYPE_CHECKING:
    from orchestrator.standby import Standby

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

    def __init__(self, error: EnclaveError, ctx: click.Context) -> None:
        super().__init__(error.message)
        self._error = error
        # When it is shown there is no context any more.
        self._colour = ctx.color
        self._verbose = habits.is_verbose()

    @property
    def exit_code(self) -> int:  # type: ignore[override]
        return self._error.exit_status

    def show(self, file: Any = None) -> None:
        head = click.style("enclave:", fg="red")
        hints = [f"  hint: {line}" for line in self._error.hint.splitlines()]
        for line in (f"{head} {self._error.message}", *hints):
            click.echo(line, err=True, file=file, color=self._colour)
        if self._verbose:
            import traceback

            traceback.print_exception(self._error)


class _Verbs(click.Group):
    """Turns the errors of the project into messages and exit statuses; keeps the verbs in their order."""

    def add_command(self, cmd: click.Command, name: str | None = None) -> None:
        habits.add_to(cmd)
        super().add_command(cmd, name)

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self.commands)

    def invoke(self, ctx: click.Context) -> Any:
        try:
            with interruptible():
                return super().invoke(ctx)
        except EnclaveError as error:
            raise _Told(error, ctx) from error
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            ctx.exit(128 + signal.SIGINT)


@click.group(cls=_Verbs, epilog=EXIT_STATUSES, context_settings={"help_option_names": ["-h", "--help"]})
@click.pass_context
def main(ctx: click.Context) -> None:
    """Boots a partitioned compute node: a Linux host and lightweight kernels, in QEMU, sharing memory."""
    settings = load_settings()
    ctx.color = habits.colour(settings.colour)
    spec = {"spec": settings.spec} if settings.spec else {}
    ctx.default_map = {"check": spec, "plan": spec, "up": spec | {"accel": settings.accelerator}}


def run(waiting: "Standby | None") -> NoReturn:
    """Ends the program at once: to take all modules apart in order is a quarter of `status`.

    `waiting` is the process that stands by for `up`, if there is one already.
    """
    try:
        main(obj=waiting)
    except SystemExit as ended:
        with suppress(BrokenPipeError):
            sys.stdout.flush()
            sys.stderr.flush()
            os._exit(ended.code if isinstance(ended.code, int) else 0)
    os._exit(1)


# ---- options that several verbs have ----

_enclave, _json, _partition = cli_options.enclave, cli_options.as_json, cli_options.partition
_spec = cli_options.spec
_define = click.option(
    "-D", "defines", metavar="KEY=VALUE", multiple=True, help="Sets a template's variable."
)
_name = click.option("--name", help="Name of the enclave; that of the spec if not given.")
_place = click.option(
    "--place",
    type=click.Choice(["auto", "none"]),
    help="auto: pin CPUs and bind memory of partitions that do not say how; none: of no partition.",
)


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
        habits.say(f"{spec}: fine; enclave {plan.name}: {', '.join(partitions)}")


@main.command()
@_spec
@_define
@_name
@click.option("--accel", type=click.Choice(["kvm", "tcg"]), default="tcg", show_default=True)
@_place
@_json
def plan(
    spec: Path, defines: tuple[str, ...], name: str | None, accel: str, place: str | None, as_json: bool
) -> None:
    """Show who owns which CPU and byte, and every QEMU command line. Starts nothing."""
    from orchestrator import plan_text
    from orchestrator.planning import commands_by_hand, find_placement, load_plan, with_places

    resolved = with_places(load_plan(spec, defines, name), place)
    placement = find_placement(resolved)
    commands = commands_by_hand(resolved, accel, placement)
    if as_json:
        _show(plan_text.as_json(resolved, commands, placement))
    else:
        click.echo(plan_text.as_text(resolved, commands, placement))


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


@main.command("host-kernel")
@_json
def host_kernel(as_json: bool) -> None:
    """Build the Linux of `kernel: source`, if that was not done before."""
    from functools import partial

    from orchestrator.lwk import BUILD
    from orchestrator.progress import Progress
    from orchestrator.source_kernel import ensure_source_kernel

    with interruptible() as interrupted:
        kernel = ensure_source_kernel(BUILD, partial(Progress(interrupted).step, "kernel"))
    if as_json:
        _show({"release": kernel.release, "vmlinux": str(kernel.vmlinux)})
    else:
        habits.say(f"Linux {kernel.release}: {kernel.vmlinux}")


# ---- the life of an enclave ----


@main.command()
@_spec
@_define
@_name
@click.option("--accel", type=click.Choice(["auto", "kvm", "tcg"]), default="auto", show_default=True)
@_place
@click.option("--interpose", is_flag=True, help="Doorbells by way of the supervisor: for `fault doorbells`.")
@wait_gdb_option
@click.option("--profile", is_flag=True, help="Show where the time went, and keep that in the run folder.")
@click.option("--dry-run", is_flag=True, help="Only check, and show what would be started.")
@_json
@click.pass_obj
def up(
    waiting: "Standby | None",
    spec: Path,
    defines: tuple[str, ...],
    name: str | None,
    accel: str,
    place: str | None,
    interpose: bool,
    wait_gdb: tuple[str, ...],
    profile: bool,
    dry_run: bool,
    as_json: bool,
) -> None:
    """Build what is missing, boot an enclave, and leave it running."""
    if profile and wait_gdb:
        raise UsageError("--profile measures a boot, and --wait-gdb stops it", "use one of them")
    if dry_run:
        _rehearse(spec, defines, name, accel, place, wait_gdb, as_json)
        return
    from orchestrator.standby import standby

    with interruptible() as interrupted, waiting or standby() as told:
        from orchestrator.planning import current_plan, with_places
        from orchestrator.progress import Progress

        loaded = time.monotonic()
        progress = Progress(interrupted, told.began)
        plan = with_places(current_plan(spec, defines, name), place)
        checked = time.monotonic()
        run = RunFolder(plan.name)
        if run.is_running():
            habits.say(f"enclave {run.name} is running already; nothing was changed", err=True)
            status = Client.connect(run).status()
            _require_already(status, interpose, place == "auto", profile, wait_gdb)
        else:
            progress.step("check", f"{spec}: {', '.join(each.name for each in plan.partitions)}")
            from orchestrator.launch import launch

            status = launch(told, plan, run, accel, progress, interpose, wait_gdb)
    if profile and as_json:
        status["profile"] = _profile(run, status, told.began, loaded, checked)
    if as_json or not habits.is_quiet():
        _show_status(status, as_json)
    if profile and not as_json:
        from orchestrator.profile_text import as_text

        click.echo(f"\n{as_text(_profile(run, status, told.began, loaded, checked))}")
    if not as_json:
        habits.say(f"\n{table.next_commands(status)}")


def _rehearse(
    spec: Path,
    defines: tuple[str, ...],
    name: str | None,
    accel: str,
    place: str | None,
    wait_gdb: tuple[str, ...],
    as_json: bool,
) -> None:
    from orchestrator import plan_text
    from orchestrator.planning import load_plan, with_places
    from orchestrator.progress import Progress
    from orchestrator.rehearsal import rehearse

    step = Progress().step
    plan = with_places(load_plan(spec, defines, name), place)
    step("check", f"{spec}: {', '.join(each.name for each in plan.partitions)}")
    run = RunFolder(plan.name)
    if run.is_running():
        habits.say(f"enclave {run.name} is running already: `up` would change nothing", err=True)
    commands, placement = rehearse(plan, run, accel, step, wait_gdb)
    if as_json:
        _show(plan_text.as_json(plan, commands, placement))
    else:
        click.echo(plan_text.as_text(plan, commands, placement))


def _profile(
    run: RunFolder, status: dict[str, Any], began: float, loaded: float, checked: float
) -> dict[str, Any]:
    """Where the time of `up` went, to the first answer by SSH; kept in the run folder too."""
    from orchestrator import ssh as linux
    from orchestrator.profile_text import since_up

    answered = {}
    for partition in status["partitions"]:
        if KernelKind(partition["kernel"]).runs_linux:
            with linux.connect(linux.Endpoint.of_partition(partition)) as session:
                session.run("true")
            answered[partition["name"]] = time.monotonic()
    profile = since_up(Client.connect(run).profile(), began, loaded, checked, answered)
    run.profile.write_text(json.dumps(profile, indent=2) + "\n")
    return profile


def _require_already(
    status: dict[str, Any], interpose: bool, place: bool, profile: bool, wait_gdb: tuple[str, ...]
) -> None:
    """What `up` was asked for, and an enclave that runs cannot be given any more. Raises UsageError."""
    name, faults = status["enclave"], []
    if interpose and not status["interposed"]:
        faults.append(f"the doorbells of enclave {name} go from QEMU to QEMU")
    if place and not any(each["placement"] for each in status["partitions"]):
        faults.append(f"enclave {name} was not placed when it was started")
    if profile or wait_gdb:
        faults.append(f"the boot of enclave {name} is over")
    if faults:
        raise UsageError("; ".join(faults), f"`enclave down {name}` first")


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
        placed = table.placements(status["partitions"], status["other_processors"])
        if placed:
            click.echo(f"\n{placed}")


@main.command()
@click.argument("name", required=False, shell_complete=cli_options.complete_enclave)
@click.option("--all", "everything", is_flag=True, help="Every enclave of yours.")
@_json
def down(name: str | None, everything: bool, as_json: bool) -> None:
    """End an enclave. Its logs stay in the run folder until the next `up` or `gc`."""
    ended = []
    for run in running() if everything else [pick(name)]:
        how: dict[str, Any] = {}
        with suppress(NotRunning) if everything else nullcontext():
            how = Client(run).down()
        ended.append({"enclave": run.name, "run_folder": str(run.path), **how})
        if not as_json:
            habits.say(f"enclave {run.name} is down; its logs: {run.path}")
    if as_json:
        _show(ended)


@main.command()
@_json
def gc(as_json: bool) -> None:
    """Remove the run folders, with their logs, of enclaves that do not run."""
    removed = []
    for run in list_runs():
        if not run.is_running():
            run.remove()
            removed.append(str(run.path))
            if not as_json:
                habits.say(f"removed {run.path}")
    if as_json:
        _show({"removed": removed})


# ---- one partition ----


@main.command()
@_partition
@click.option("--wait-gdb", is_flag=True, help="Stop it before its first instruction, for `enclave gdb`.")
@_enclave
@_json
def restart(partition: str, wait_gdb: bool, enclave: str | None, as_json: bool) -> None:
    """Boot one partition again, in whatever state it is. The others run on."""
    from orchestrator.progress import Progress

    client = connect(enclave)
    find_partition(client.status(), partition)
    status = client.restart(partition, Progress().event, wait_gdb)
    if as_json or not habits.is_quiet():
        _show_status(status, as_json)


main.add_command(top)
main.add_command(shell)
main.add_command(fault)
main.add_command(ikc)
main.add_command(gdb)
main.add_command(crash)
main.add_command(dump)
main.add_command(qmp)
main.add_command(program_cli.push)


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


main.add_command(console)


# ---- inside a Linux partition ----


@main.command()
@click.argument("command", nargs=-1)
@click.option(
    "-p", "--partition", shell_complete=cli_options.complete_partition,
    help="Another partition that runs Linux; the host if not given.",
)  # fmt: skip
@_enclave
def ssh(command: tuple[str, ...], partition: str | None, enclave: str | None) -> None:
    """Open a shell on the Linux host, or run a line of shell there: enclave ssh -- 'uname -a | wc'."""
    _exit(_in_linux(enclave, partition, " ".join(command)))


@main.command(name="exec")
@_partition
@click.argument("command", nargs=-1, required=True)
@program_cli.cpus_option
@program_cli.local_option
@program_cli.offload_option
@program_cli.trace_option
@program_cli.summary_option
@_enclave
def exec_(
    partition: str,
    command: tuple[str, ...],
    cpus: str | None,
    local: str | None,
    offload: str | None,
    trace: bool,
    trace_summary: bool,
    enclave: str | None,
) -> None:
    """Run a command with exactly these arguments: enclave exec host -- printf %s 'a  b'.

    On an LWK it runs a program of the host's files: enclave exec lwk0 -- busybox ls -l /.
    """
    from orchestrator.death import require_alive
    from orchestrator.ssh import shell_command

    client = connect(enclave)
    found = find_partition(client.status(), partition)
    require_alive(client, found)
    lists = {"--cpus": cpus, "--local": local, "--offload": offload}
    on_lwk = program_cli.on_lwk(found, command, lists=lists, trace=trace, summary=trace_summary)
    _exit(_in_linux(enclave, None if on_lwk else partition, shell_command(on_lwk or command)))


@main.command()
@_partition
@click.option("-c", "--count", default=4, show_default=True, help="How many messages.")
@_enclave
@_json
def ping(partition: str, count: int, enclave: str | None, as_json: bool) -> None:
    """Send messages from the host to a partition and back, through shared memory."""
    from orchestrator.death import require_alive
    from orchestrator.ssh import shell_command

    client = connect(enclave)
    require_alive(client, find_partition(client.status(), partition))
    words = ("ikcctl", "ping", partition, "-c", str(count), *(["--json"] if as_json else []))
    _exit(_in_linux(enclave, None, shell_command(words)))


def _in_linux(enclave: str | None, partition: str | None, command: str) -> int:
    """Runs a line of shell, or a shell, in a partition (None: the host); returns its exit status."""
    from orchestrator import ssh as linux
    from orchestrator.death import DeathWatch, require_alive

    client = connect(enclave)
    status = client.status()
    found = find_partition(status, partition) if partition else find_host(status)
    require_alive(client, found)
    endpoint = linux.Endpoint.of_partition(found)
    watch = DeathWatch(client, found["name"])
    with watch.blames(), linux.connect(endpoint) as session:
        watch.closes(session.close)
        if not command and sys.stdin.isatty():
            return session.shell(sys.stdin.fileno(), sys.stdout.fileno())
        out, err = sys.stdout.buffer, sys.stderr.buffer
        return session.attach(command or "exec sh", sys.stdin.fileno(), out, err)


# ---- about the command line itself ----

main.add_command(completion)
main.add_command(man)
main.params += habits.options()
