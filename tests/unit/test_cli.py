# SPDX-License-Identifier: Apache-2.0
import json
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from orchestrator import errors
from orchestrator.cli import main
from orchestrator.run import RunFolder
from tests.unit.fake_supervisor import FakeSupervisor

Start = Callable[[str], FakeSupervisor]


@pytest.fixture(autouse=True)
def runtime(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    # Not in pytest's folder: the path of a socket may not be long.
    with tempfile.TemporaryDirectory(prefix="enclave-test-") as folder:
        monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", folder)
        yield Path(folder)


@pytest.fixture
def start() -> Iterator[Start]:
    with ExitStack() as stack:
        yield lambda name: stack.enter_context(closing(FakeSupervisor(RunFolder(name))))


def enclave(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def error_of(kind: type[errors.EnclaveError]) -> list[dict[str, object]]:
    return [{"error": {"message": "it went wrong", "hint": "mend it", "exit_status": kind.exit_status}}]


# ---- which enclave ----


def test_the_only_running_enclave_is_meant(start: Start) -> None:
    start("duo")
    result = enclave("status")
    assert result.exit_code == 0
    assert "enclave duo, tcg" in result.stdout
    assert "lwk0       lwk" in result.stdout


def test_among_several_one_has_to_be_named(start: Start) -> None:
    start("duo")
    start("solo")
    result = enclave("status")
    assert result.exit_code == 2
    assert result.stderr == "enclave: several enclaves are running: duo, solo\n  hint: say which: -e NAME\n"
    assert json.loads(enclave("status", "-e", "solo", "--json").stdout)["enclave"] == "solo"


def test_no_running_enclave_is_a_usage_error_with_a_cure() -> None:
    result = enclave("status")
    assert result.exit_code == 2
    assert result.stderr == "enclave: no enclave is running\n  hint: start one: enclave up SPEC\n"
    assert result.stdout == ""


def test_status_of_an_ended_enclave_says_how_it_ended() -> None:
    with closing(FakeSupervisor(RunFolder("duo"))) as supervisor:
        supervisor.run.status_final.write_text('{"reason": "the supervisor was killed by signal 9"}')
    result = enclave("status", "-e", "duo")
    assert result.exit_code == 2
    assert "duo is not running: the supervisor was killed by signal 9" in result.stderr


def test_unknown_partition_is_named_with_those_that_exist(start: Start) -> None:
    start("duo")
    for verb in (["restart", "lwk9"], ["fault", "lwk9", "panic"], ["log", "lwk9"], ["exec", "lwk9", "true"]):
        result = enclave(*verb)
        assert result.exit_code == 2
        assert "duo has no partition 'lwk9'" in result.stderr
        assert "host, lwk0" in result.stderr


# ---- errors and exit statuses ----


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        (errors.EnclaveError, 1),
        (errors.UsageError, 2),
        (errors.EnvironmentFault, 3),
        (errors.GuestError, 4),
        (errors.DeadlineError, 5),
        (errors.HangError, 6),
    ],
)
def test_each_kind_of_error_has_its_exit_status(
    start: Start, kind: type[errors.EnclaveError], status: int
) -> None:
    start("duo").answers["restart"] = error_of(kind)
    result = enclave("restart", "lwk0")
    assert result.exit_code == status
    assert result.stderr.endswith("enclave: it went wrong\n  hint: mend it\n")


def test_unknown_option_is_a_usage_error() -> None:
    assert enclave("status", "--nonsense").exit_code == 2


def test_help_tells_the_exit_statuses() -> None:
    text = enclave("--help").stdout
    for status in ("0  done", "2  what was asked", "6  a guest stopped", "130  interrupted"):
        assert status in text


def test_interrupt_ends_with_130(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.client.Client.status", interrupt)
    start("duo")
    assert enclave("status").exit_code == 130


# ---- verbs ----


def test_fault_asks_for_what_was_said(start: Start) -> None:
    supervisor = start("duo")
    assert enclave("fault", "lwk0", "panic").exit_code == 0
    assert supervisor.requests[-1] == {"verb": "command", "partition": "lwk0", "command": "panic"}
    assert enclave("fault", "lwk0", "kill").exit_code == 0
    assert supervisor.requests[-1] == {"verb": "kill", "partition": "lwk0"}


def test_restart_shows_each_state_and_then_the_table(start: Start) -> None:
    supervisor = start("duo")
    supervisor.answers["restart"] = [
        {"event": {"t": 1.0, "partition": "lwk0", "event": "state", "state": "BOOTING", "reason": ""}},
        {"event": {"t": 1.1, "partition": "lwk0", "event": "STOP", "data": {}}},
        {"event": {"t": 1.2, "partition": "lwk0", "event": "state", "state": "READY", "reason": ""}},
        {"ok": supervisor.status},
    ]
    result = enclave("restart", "lwk0")
    assert [line.split()[-1] for line in result.stderr.splitlines()] == ["BOOTING", "READY"]
    assert "PARTITION" in result.stdout


def test_log_is_passed_on_as_it_is(start: Start) -> None:
    start("duo").raw["log"] = b"lwk: \xff\x00 bytes\n"
    result = enclave("log", "lwk0")
    assert result.stdout_bytes == b"lwk: \xff\x00 bytes\n"


def test_log_outlives_the_enclave(start: Start) -> None:
    with closing(FakeSupervisor(RunFolder("duo"))) as supervisor:
        supervisor.run.kernel_log("lwk0").write_bytes(b"last words\n")
    assert enclave("log", "lwk0", "-e", "duo").stdout == "last words\n"
    missing = enclave("log", "lwk1", "-e", "duo")
    assert missing.exit_code == 2
    assert "left no kernel log of 'lwk1'" in missing.stderr


def test_exec_in_an_lwk_is_refused(start: Start) -> None:
    start("duo")
    result = enclave("exec", "lwk0", "--", "ls", "-l")
    assert result.exit_code == 2
    assert "lwk0 runs no Linux" in result.stderr


def test_host_that_cannot_be_reached_yet_is_told(start: Start) -> None:
    start("duo")
    result = enclave("exec", "host", "--", "true")
    assert result.exit_code == 1
    assert "no SSH address" in result.stderr


def test_down_ends_one_or_all(start: Start) -> None:
    supervisors = [start("duo"), start("solo")]
    assert enclave("down").exit_code == 2
    assert enclave("down", "solo").exit_code == 0
    assert {"verb": "down"} in supervisors[1].requests
    assert {"verb": "down"} not in supervisors[0].requests
    assert enclave("down", "--all").exit_code == 0
    assert {"verb": "down"} in supervisors[0].requests


def test_down_of_everything_is_content_with_nothing() -> None:
    assert enclave("down", "--all").exit_code == 0


def test_gc_removes_only_what_does_not_run(start: Start, runtime: Path) -> None:
    start("duo")
    FakeSupervisor(RunFolder("old")).close()
    result = enclave("gc")
    assert result.stdout == f"removed {runtime / 'old'}\n"
    assert [path.name for path in runtime.iterdir()] == ["duo"]


# ---- what it costs ----


def test_status_imports_nothing_that_is_slow() -> None:
    code = "import sys, orchestrator.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    slow = {"asyncio", "paramiko", "pydantic", "jinja2", "yaml", "cryptography", "elftools", "qemu", "rich"}
    assert slow.isdisjoint(loaded)
