# SPDX-License-Identifier: Apache-2.0
import json
import os
import re
import signal
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
from orchestrator.interrupts import interruptible
from orchestrator.run import RunFolder
from tests.unit.fake_supervisor import FakeSupervisor
from tests.unit.test_crash_story import story

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
    for verb in (["restart", "lwk9"], ["fault", "panic", "lwk9"], ["log", "lwk9"], ["exec", "lwk9", "true"]):
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


@pytest.mark.parametrize(
    ("option", "what"),
    [
        (("--place", "auto"), "enclave duo was not placed when it was started"),
        (("--profile",), "the boot of enclave duo is over"),
    ],
)
def test_enclave_that_runs_is_neither_placed_nor_profiled_afterwards(
    option: tuple[str, ...], what: str, start: Start
) -> None:
    start("duo")
    result = enclave("up", str(Path(__file__).parents[2] / "specs" / "duo.yaml"), *option)
    assert result.exit_code == 2
    assert what in result.stderr
    assert "hint: `enclave down duo` first" in result.stderr


@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
def test_interrupt_that_python_drops_in_a_callback_is_not_forgotten() -> None:
    """As in those of its imports, when `up` has only begun."""

    class Fleeting:
        def __del__(self) -> None:
            signal.raise_signal(signal.SIGINT)

    with interruptible() as interrupted:
        interrupted()
        Fleeting()
        with pytest.raises(KeyboardInterrupt):
            interrupted()


def test_enclave_that_runs_is_not_interposed_afterwards(start: Start) -> None:
    start("solo")
    solo = str(Path(__file__).parents[2] / "specs" / "solo.yaml")
    assert enclave("up", solo).exit_code == 0
    result = enclave("up", solo, "--interpose")
    assert result.exit_code == 2
    assert "the doorbells of enclave solo go from QEMU to QEMU" in result.stderr


def test_help_tells_the_exit_statuses() -> None:
    text = enclave("--help").stdout
    for status in ("0  done", "2  what was asked", "6  a guest stopped", "130  interrupted"):
        assert status in text


def test_guide_has_the_same_exit_statuses_as_the_help() -> None:
    guide = (Path(__file__).parents[2] / "docs" / "index.md").read_text().partition("## Exit statuses")[2]
    rows = re.findall(r"^\| (\d+) \| (\w+)", guide.partition("## ")[0], re.MULTILINE)
    told = re.findall(r"^ +(\d+)  (\w+)", enclave("--help").stdout, re.MULTILINE)
    assert rows == told
    kinds = (
        errors.UsageError,
        errors.EnvironmentFault,
        errors.GuestError,
        errors.DeadlineError,
        errors.HangError,
    )
    statuses = {0, 130, errors.EnclaveError.exit_status, *(kind.exit_status for kind in kinds)}
    assert {int(status) for status, _ in rows} == statuses


def test_interrupt_ends_with_130(start: Start, monkeypatch: pytest.MonkeyPatch) -> None:
    def interrupt(*arguments: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("orchestrator.client.Client.status", interrupt)
    start("duo")
    assert enclave("status").exit_code == 130


# ---- verbs ----


def test_fault_asks_for_what_was_said(start: Start) -> None:
    supervisor = start("duo")
    assert enclave("fault", "panic", "lwk0").exit_code == 0
    assert supervisor.requests[-1] == {"verb": "command", "partition": "lwk0", "command": "panic"}
    assert enclave("fault", "kill", "lwk0").exit_code == 0
    assert supervisor.requests[-1] == {"verb": "kill", "partition": "lwk0"}


def test_fault_of_doorbells_asks_for_what_was_said(start: Start) -> None:
    supervisor = start("duo")
    rule = {
        "rule": 1,
        "from": "host",
        "to": None,
        "vector": 1,
        "drop": 0.125,
        "delay_s": 0.005,
        "duplicate": 0.0,
    }
    rule |= {"seed": 3, "met": 0, "dropped": 0, "delayed": 0, "duplicated": 0}
    supervisor.answers["doorbell-rule"] = [{"ok": rule}]
    words = ("--from", "host", "--vector", "1", "--drop", "1/8", "--delay", "5", "--seed", "3")
    result = enclave("fault", "doorbells", *words)
    assert result.exit_code == 0
    assert result.stdout.splitlines()[1].split()[:7] == ["1", "host", "any", "1", "0.125", "0", "5"]
    asked = {key: supervisor.requests[-1][key] for key in ("verb", "from", "to", "vector", "drop", "delay_s")}
    assert asked == {"verb": "doorbell-rule", **{key: rule[key] for key in list(asked)[1:]}}
    supervisor.answers["doorbell-clear"] = [{"ok": {"rules": []}}]
    assert enclave("fault", "doorbells", "--clear").stdout == "no rules\n"


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        (["doorbells"], "this rule would do nothing"),
        (["doorbells", "--drop", "2"], "'2' is no probability: write 0.25, or 1/4"),
        (["doorbells", "--drop", "1", "--from", "lwk9"], "no partition 'lwk9'"),
        (["storm", "--to", "lwk0", "--vector", "1"], "Missing option '--from'"),
        (["scribble", "lwk0", "--group", "mailbox"], "'mailbox' is not one of 'status'"),
    ],
)
def test_unusable_faults_are_explained(start: Start, words: list[str], complaint: str) -> None:
    start("duo")
    result = enclave("fault", *words)
    assert result.exit_code == 2
    assert complaint in result.stderr


def test_faults_that_last_say_how_much_they_did(start: Start) -> None:
    supervisor = start("duo")
    supervisor.answers |= {"storm": [{"ok": {"count": 50}}], "scribble": [{"ok": {"count": 70}}]}
    storm = ("storm", "--from", "host", "--to", "lwk0", "--vector", "1", "--rate", "100", "--seconds", "0.5")
    assert enclave("fault", *storm).stdout == "rang lwk0 50 times\n"
    assert supervisor.requests[-1]["rate"] == 100
    scribble = ("scribble", "lwk0", "--group", "cursors", "--peer", "host", "--seed", "4")
    assert enclave("fault", *scribble).stdout == "wrote 70 words over cursors of lwk0\n"
    assert (supervisor.requests[-1]["peer"], supervisor.requests[-1]["seed"]) == ("host", 4)


def test_trace_shows_messages_and_how_many_were_lost(start: Start) -> None:
    supervisor = start("duo")
    record = {"number": 3, "time_ns": 2_000_000, "generation": 65537, "length": 2, "peer": 1, "ring": 1}
    record |= {"direction": 0, "to_port": 1, "from_port": 300}
    lines = [{"lost": 17}, record | {"data": b"hi".hex()}]
    supervisor.answers["trace"] = [{"ok": {}}]
    supervisor.raw["trace"] = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
    text = enclave("ikc", "trace", "host").stdout.splitlines()
    assert text[0] == "... 17 messages were overwritten before they could be read"
    assert text[1].split()[:6] == ["0.002000", "->", "lwk0", "data", "300", ">"]
    assert supervisor.requests[-1] == {"verb": "trace", "partition": "host", "follow": False}
    lost, found = map(
        json.loads, enclave("ikc", "trace", "host", "--count", "1", "--json").stdout.splitlines()
    )
    assert lost == {"lost": 17}
    assert (found["says"], found["peer"]) == ("ECHO this", "lwk0")
    assert supervisor.requests[-1]["follow"] is True


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


def test_shell_in_an_lwk_is_refused(start: Start) -> None:
    start("duo")
    result = enclave("ssh", "-p", "lwk0", "--", "ls", "-l")
    assert result.exit_code == 2
    assert "lwk0 runs no Linux" in result.stderr


def test_exec_in_an_lwk_goes_by_the_host(start: Start) -> None:
    start("duo")
    result = enclave("exec", "lwk0", "--", "ls", "-l")
    assert result.exit_code == 1
    assert "host has no SSH address" in result.stderr


def test_options_for_an_lwk_are_refused_elsewhere(start: Start) -> None:
    start("duo")
    for options in (["--trace"], ["--cpus", "1"], ["--local", "getpid"], ["--offload", "getpid"]):
        result = enclave("exec", *options, "host", "--", "ls")
        assert result.exit_code == 2
        assert "--cpus, --local, --offload and --trace are for an LWK: host runs none" in result.stderr


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


def test_down_of_one_that_is_ending_waits_until_it_is_over(monkeypatch: pytest.MonkeyPatch) -> None:
    # Its socket has gone, and its processes have not.
    run = RunFolder("ending")
    lock = run.claim()
    asked: list[float] = []

    def soon_over(seconds: float) -> None:
        asked.append(seconds)
        if len(asked) == 2:
            os.close(lock)

    monkeypatch.setattr("orchestrator.client.time.sleep", soon_over)
    assert enclave("down", "ending").exit_code == 0
    assert len(asked) >= 2


def test_down_whose_supervisor_dies_meanwhile_is_down(start: Start) -> None:
    supervisor = start("duo")
    supervisor.answers["down"] = []
    assert enclave("down", "duo").exit_code == 0
    assert not supervisor.run.is_running()


def test_down_of_everything_is_content_with_nothing() -> None:
    assert enclave("down", "--all").exit_code == 0


def test_gc_removes_only_what_does_not_run(start: Start, runtime: Path) -> None:
    start("duo")
    FakeSupervisor(RunFolder("old")).close()
    result = enclave("gc")
    assert result.stdout == f"removed {runtime / 'old'}\n"
    assert [path.name for path in runtime.iterdir()] == ["duo"]


# ---- crashes ----


def crashed(run: RunFolder, *numbers: int) -> RunFolder:
    for number in numbers:
        bundle = run.crashes / f"{number}-lwk0"
        bundle.mkdir(parents=True)
        told = story(enclave=run.name, number=number, bundle=str(bundle))
        (bundle / "crash.json").write_text(json.dumps(told))
    return run


def test_crash_of_an_enclave_that_is_down(start: Start) -> None:
    start("solo")
    with closing(FakeSupervisor(RunFolder("duo"))) as supervisor:
        crashed(supervisor.run, 1)
    for words in ((), ("duo",), ("duo", "-n", "1")):
        result = enclave("crash", *words)
        assert result.exit_code == 0
        assert result.stdout.startswith("lwk0 panicked, 12.35 s after `up`")
        assert "where    page_free, lwk/kernel/page_alloc.c:210 on CPU 1\n" in result.stdout
    assert json.loads(enclave("crash", "--json").stdout)["where"]["line"] == 210


def test_crash_of_one_that_runs_waits_until_it_is_written_down(start: Start) -> None:
    supervisor = start("duo")
    crashed(supervisor.run, 1, 2, 10)
    result = enclave("crash")
    assert {"verb": "settle"} in supervisor.requests
    assert "crash 10 of enclave duo" in result.stdout
    assert result.stdout.endswith("the others: enclave crash duo -n N\n")
    assert [line.split()[0] for line in enclave("crash", "--list").stdout.splitlines()[1:]] == [
        "1",
        "2",
        "10",
    ]
    assert [each["number"] for each in json.loads(enclave("crash", "--list", "--json").stdout)] == [1, 2, 10]
    assert "crash 2 of enclave duo" in enclave("crash", "-n", "2").stdout


def test_crash_that_there_is_not_is_told_with_those_that_there_are(start: Start) -> None:
    supervisors = [start("duo"), start("solo")]
    nothing = enclave("crash")
    assert (nothing.exit_code, "no enclave has crashed" in nothing.stderr) == (2, True)
    assert "enclave duo has no crashes" in enclave("crash", "duo").stderr
    unknown = enclave("crash", "nobody")
    assert (unknown.exit_code, "there are: duo, solo" in unknown.stderr) == (2, True)
    for supervisor in supervisors:
        crashed(supervisor.run, 3)
    several = enclave("crash")
    assert (several.exit_code, "several enclaves have crashed: duo, solo" in several.stderr) == (2, True)
    assert "it has: 3" in enclave("crash", "duo", "-n", "1").stderr


def test_dump_makes_a_file_that_only_its_owner_reads(start: Start, tmp_path: Path) -> None:
    supervisor = start("duo")
    core = tmp_path / "core"
    for file, complaint in (
        (tmp_path, "is there already"),
        (tmp_path / "no" / "core", "its folder is not there"),
    ):
        refused = enclave("dump", "lwk0", str(file))
        assert (refused.exit_code, complaint in refused.stderr) == (2, True)
    supervisor.on["dump"] = lambda: core.write_bytes(b"core")
    result = enclave("dump", "lwk0", str(core))
    assert supervisor.requests[-1] == {"verb": "dump", "partition": "lwk0", "file": str(core)}
    assert core.stat().st_mode & 0o777 == 0o600
    assert result.stdout.endswith(f"next:\n  gdb /build/lwk.elf {core}\n")


def test_dump_that_fails_leaves_no_file(start: Start, tmp_path: Path) -> None:
    supervisor = start("duo")
    core = tmp_path / "core"
    supervisor.on["dump"] = lambda: core.write_bytes(b"half a co")
    supervisor.answers["dump"] = error_of(errors.EnclaveError)
    assert enclave("dump", "lwk0", str(core)).exit_code == 1
    assert not core.exists()


# ---- what it costs ----


def test_status_imports_nothing_that_is_slow() -> None:
    code = "import sys, orchestrator.cli; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    ).stdout.split()
    slow = {"asyncio", "paramiko", "pydantic", "jinja2", "yaml", "cryptography", "elftools", "qemu", "rich"}
    assert slow.isdisjoint(loaded)
