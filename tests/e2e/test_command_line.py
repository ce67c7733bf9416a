# SPDX-License-Identifier: Apache-2.0
"""The command `enclave` against a running enclave."""

import json
import signal
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pexpect
import pytest

from orchestrator.pytest_plugin import Enclave
from orchestrator.run import RunFolder
from tests.e2e.conftest import ROOT, CommandLine, leftovers
from tests.e2e.screen import in_terminal

ENDS_WITHIN_S = 30.0
EVERY_BYTE = bytes(range(256)) * 512


def execute(
    command: CommandLine, enclave: Enclave, *words: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    return command("exec", "-e", enclave.name, "host", "--", *words, stdin=stdin)


def test_up_tells_each_step_shows_the_result_and_again_changes_nothing(command: CommandLine) -> None:
    first = command("up", "specs/solo.yaml")
    progress, result = first.stderr.decode(), first.stdout.decode()
    for told in ("check", "accel", "lwk0: BOOTING", "lwk0: READY", "host: READY"):
        assert told in progress
    for told in (
        "PARTITION",
        "READY AFTER",
        "lwk0       lwk     1     0: 128M",
        "enclave ssh",
        "enclave down",
    ):
        assert told in result

    before = json.loads(command("status", "--json").stdout)
    again = command("up", "specs/solo.yaml", "--json")
    assert again.returncode == 0
    assert b"enclave solo is running already; nothing was changed" in again.stderr
    after = json.loads(again.stdout)
    assert before["run_id"] == after["run_id"]
    assert [each["pid"] for each in before["partitions"]] == [each["pid"] for each in after["partitions"]]


def test_up_with_a_kernel_that_fails_says_which_and_takes_everything_down(
    command: CommandLine, tmp_path: Path
) -> None:
    solo = (ROOT / "specs" / "solo.yaml").read_text()
    spec = tmp_path / "failing.yaml"
    spec.write_text(solo.replace("{0: 128M}}", "{0: 128M}, cmdline: selftest=no-such-test}"))
    done = command("up", spec)
    assert done.returncode == 4
    assert "enclave: lwk0: QEMU exited with status 35" in done.stderr.decode()
    run = RunFolder("solo", command.runtime)
    assert f"the logs are in {run.path}" in done.stderr.decode()
    assert leftovers(run) == []
    assert "no-such-test: FAIL: no such test" in run.console_log("lwk0").read_text()


@pytest.mark.parametrize("status", [0, 1, 7, 255])
def test_exec_ends_with_the_status_of_the_command(
    duo: Enclave, duo_command: CommandLine, status: int
) -> None:
    assert execute(duo_command, duo, "sh", "-c", f"exit {status}").returncode == status


def test_exec_ends_with_128_and_the_signal(duo: Enclave, duo_command: CommandLine) -> None:
    assert execute(duo_command, duo, "sh", "-c", "kill -SEGV $$").returncode == 128 + 11


def test_exec_of_an_unknown_command_is_127(duo: Enclave, duo_command: CommandLine) -> None:
    assert execute(duo_command, duo, "no-such-command").returncode == 127


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("partition", ["host", "lwk0"])
def test_exec_that_is_ended_ends_its_command(
    duo: Enclave, duo_command: CommandLine, partition: str, number: signal.Signals
) -> None:
    computes = 'BEGIN { print "begun"; fflush(); while (1) i++ }'
    process = duo_command.start("exec", "-e", duo.name, partition, "--", "busybox", "awk", computes)
    assert process.stdout is not None
    assert process.stdout.readline() == b"begun\n"
    assert runs_on_host(duo, "busybox awk")
    process.send_signal(number)
    process.communicate(timeout=ENDS_WITHIN_S)
    assert process.returncode == 128 + signal.SIGINT
    duo.wait_for(lambda _: not runs_on_host(duo, "busybox awk"), "the end of the command", ENDS_WITHIN_S)


def runs_on_host(duo: Enclave, words: str) -> bool:
    return any(line.split(None, 2)[2].startswith(words) for line in duo.host.succeed("ps").splitlines())


def test_exec_passes_arguments_and_streams_unchanged(duo: Enclave, duo_command: CommandLine) -> None:
    words = ["a  b", "$HOME", "*", "it's", ""]
    assert execute(duo_command, duo, "printf", "%s|", *words).stdout.decode() == "|".join([*words, ""])
    done = execute(duo_command, duo, "sh", "-c", "cat; echo problem >&2", stdin=EVERY_BYTE)
    assert (done.stdout, done.stderr) == (EVERY_BYTE, b"problem\n")


def test_files_go_both_ways(duo: Enclave, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("files")
    (folder / "here").write_bytes(EVERY_BYTE)
    duo.host.session().put(folder / "here", "/tmp/there")
    duo.host.session().get("/tmp/there", folder / "back")
    assert (folder / "back").read_bytes() == EVERY_BYTE


def test_ssh_takes_a_line_of_shell(duo: Enclave, duo_command: CommandLine) -> None:
    done = duo_command("ssh", "-e", duo.name, "--", "echo one two | wc -w; exit 4")
    assert (done.returncode, done.stdout) == (4, b"2\n")


def test_openssh_reaches_the_host_with_the_files_of_the_run(duo: Enclave) -> None:
    ssh = duo.status()["ssh"]
    command = ["ssh", "-F", "none", "-i", ssh["key"], "-o", f"UserKnownHostsFile={ssh['known_hosts']}"]
    command += ["-o", "StrictHostKeyChecking=yes", "-p", str(ssh["port"]), f"root@{ssh['host']}", "uname"]
    assert subprocess.run(command, capture_output=True, timeout=60, check=False).stdout == b"Linux\n"


def test_log_of_every_partition(duo: Enclave, duo_command: CommandLine) -> None:
    assert b"lwk: ready" in duo_command("log", "-e", duo.name, "lwk0").stdout
    assert b"Linux version" in duo_command("log", "-e", duo.name, "host").stdout


def test_log_follows(duo: Enclave, duo_command: CommandLine) -> None:
    follower = duo_command.start("log", "-e", duo.name, "-f", "host")
    assert follower.stdout is not None
    duo.host.succeed("sh", "-c", "echo followed-by-a-test > /dev/kmsg")
    while b"followed-by-a-test" not in (line := follower.stdout.readline()):
        assert line, "the log ended"
    follower.terminate()
    follower.communicate(timeout=60)


# ---- terminals ----


@pytest.fixture
def spawned(duo_command: CommandLine) -> Iterator[list["pexpect.spawn[str]"]]:
    children: list[pexpect.spawn[str]] = []
    yield children
    for child in children:
        child.close(force=True)


def spawn(command: CommandLine, spawned: list["pexpect.spawn[str]"], *words: str) -> "pexpect.spawn[str]":
    child = pexpect.spawn(
        str(command.program),
        list(words),
        env=command.environment,
        cwd=str(ROOT),
        timeout=60,
        dimensions=(41, 97),
    )
    spawned.append(child)
    return child


def test_console_is_a_terminal_that_ctrl_bracket_leaves(
    duo: Enclave, duo_command: CommandLine, spawned: list["pexpect.spawn[str]"]
) -> None:
    child = spawn(duo_command, spawned, "console", "-e", duo.name, "host")
    child.expect_exact("leave it with Ctrl-]")
    child.send("\r")
    child.expect("# ")
    child.send("echo $((6 * 7))-from-the-console\r")
    child.expect_exact("42-from-the-console")
    child.send("\x1d")
    child.expect_exact("left the console of host")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 0
    assert duo.partition("host")["state"] == "READY"


def test_shell_knows_the_size_of_the_window_and_its_changes(
    duo: Enclave, duo_command: CommandLine, spawned: list["pexpect.spawn[str]"]
) -> None:
    child = spawn(duo_command, spawned, "ssh", "-e", duo.name)
    child.expect("# ")
    child.send("stty size\r")
    child.expect_exact("41 97")
    child.setwinsize(30, 60)
    child.expect("# ")
    child.send("stty size\r")
    child.expect_exact("30 60")
    child.expect("# ")
    child.send("exit 5\r")
    child.expect(pexpect.EOF)
    child.wait()
    assert child.exitstatus == 5


def test_profile_has_every_phase_of_every_partition_and_is_kept(command: CommandLine) -> None:
    shown = command("up", "specs/duo.yaml", "--profile", "--json")
    assert shown.returncode == 0, shown.stderr
    profile = json.loads(shown.stdout)["profile"]
    assert json.loads(RunFolder("duo", command.runtime).profile.read_text()) == profile
    phases = {each["name"]: [phase["name"] for phase in each["phases"]] for each in profile["partitions"]}
    assert phases["lwk0"] == [
        *("its turn", "files", "QEMU", "firmware", "kernel", "kernel: CPUs, READY"),
    ]
    assert phases["host"][:5] == ["supervisor", "files", "QEMU", "firmware", "kernel"]
    assert phases["host"][5:] == [
        *("init: file systems", "init: libraries", "init: other CPUs", "init: drivers", "init: IKC module"),
        *("init: network", "init: SSH server", "READY is told"),
    ]
    for each in profile["partitions"]:
        at = profile["up"][-1]["end"]
        for phase in each["phases"]:
            assert phase["begin"] == pytest.approx(at, abs=2e-6)
            at = phase["end"]
        assert at == each["ready"]
        assert set(each["links"]) == {"host", "lwk0", "lwk1"} - {each["name"]}
    assert profile["partitions"][0]["ssh"] > profile["partitions"][0]["ready"]


def test_dry_run_checks_and_shows_all_and_starts_nothing(command: CommandLine) -> None:
    done = command("up", "specs/duo.yaml", "--dry-run", "--accel", "tcg")
    assert done.returncode == 0
    told, shown = done.stderr.decode(), done.stdout.decode()
    for checked in ("specs/duo.yaml: host, lwk0, lwk1", "qemu-system-x86_64, version", "tcg (asked for)"):
        assert checked in told
    assert shown == command("plan", "specs/duo.yaml").stdout.decode()
    stopped = command("up", "specs/duo.yaml", "--dry-run", "--accel", "tcg", "--wait-gdb", "lwk0", "--json")
    lines = {each["name"]: each["command"] for each in json.loads(stopped.stdout)["partitions"]}
    assert [name for name, line in lines.items() if "-S" in line] == ["lwk0"]
    assert command("up", "specs/duo.yaml", "--dry-run", "--wait-gdb", "lwk7").returncode == 2
    assert not command.runtime.exists()
    refused = command("up", "specs/duo.yaml", "--dry-run", "--name", "x" * 65)
    assert refused.returncode == 2
    quiet = command("up", "specs/duo.yaml", "--dry-run", "--accel", "tcg", "-q", "--json")
    assert quiet.stderr == b""
    assert len(json.loads(quiet.stdout)["partitions"]) == 3


def test_interrupted_log_says_so_and_ends_with_130(duo: Enclave, duo_command: CommandLine) -> None:
    following = duo_command.start("log", "-e", duo.name, "lwk0", "-f")
    assert following.stdout is not None
    assert b"lwk" in following.stdout.readline()
    following.send_signal(signal.SIGINT)
    assert following.communicate(timeout=60)[1] == b"interrupted\n"
    assert following.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP])
def test_console_that_is_ended_by_a_signal_leaves_the_terminal_as_it_was(
    duo: Enclave, duo_command: CommandLine, number: signal.Signals
) -> None:
    words = ("console", "-e", duo.name, "lwk0")
    with in_terminal(duo_command.program, *words, environment=duo_command.environment) as console:
        before = console.modes()
        # What the kernel said when it was ready may be lines and lives ago.
        console.wait_for(lambda _: console.modes() != before, "a terminal that passes on each key")
        console.child.kill(number)
        assert console.end() == 130
        assert console.modes() == before
