# SPDX-License-Identifier: Apache-2.0
"""Five enclaves on one computer, and one enclave many times, whatever happens to its commands meanwhile."""

import json
import os
import random
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.run import RunFolder
from tests.e2e.conftest import HERE, CommandLine, leftovers

SPEC = HERE / "specs" / "small.yaml"
NAMES = tuple(f"small{number}" for number in range(5))
GONE_WITHIN_S = 60.0


@pytest.fixture
def five(command: CommandLine) -> dict[str, dict[str, Any]]:
    """Started all at once; the status of each."""
    starting = {name: command.start("up", SPEC, "--name", name, "--json") for name in NAMES}
    ended = {name: process.communicate(timeout=180) for name, process in starting.items()}
    assert {name: process.returncode for name, process in starting.items()} == dict.fromkeys(NAMES, 0), ended
    return {name: json.loads(stdout) for name, (stdout, _) in ended.items()}


def status_of(command: CommandLine, name: str) -> dict[str, Any]:
    return dict(json.loads(command("status", "-e", name, "--json").stdout))


def require_answers(command: CommandLine, name: str) -> None:
    """By no `enclave ping`: with ten QEMUs at work an answer may take longer than that waits."""
    ping = ("ikcctl", "ping", "lwk0", "-c", "3", "-W", "30")
    done = command("exec", "-e", name, "host", "--", *ping)
    assert done.returncode == 0, done


def lives(status: dict[str, Any]) -> list[tuple[str, int, int]]:
    return [(each["state"], each["incarnation"], each["pid"]) for each in status["partitions"]]


def test_five_enclaves_work_and_none_disturbs_another(
    command: CommandLine, five: dict[str, dict[str, Any]]
) -> None:
    assert len({status["ssh"]["port"] for status in five.values()}) == len(NAMES)
    assert len({status["run_id"] for status in five.values()}) == len(NAMES)
    for name in NAMES:
        said = command("exec", "-e", name, "host", "--", "sh", "-c", f"echo {name} >/tmp/name; cat /tmp/name")
        assert said.stdout.decode() == f"{name}\n", said.stderr
        require_answers(command, name)

    # One end of each kind, and the other two do not notice.
    assert command("fault", "panic", "-e", NAMES[0], "lwk0").returncode == 0
    assert command("fault", "kill", "-e", NAMES[1], "host").returncode == 0
    os.kill(five[NAMES[2]]["supervisor_pid"], signal.SIGKILL)
    wait_until_gone(RunFolder(NAMES[2], command.runtime))
    for name in NAMES[3:]:
        assert lives(status_of(command, name)) == lives(five[name])
        assert command("exec", "-e", name, "host", "--", "cat", "/tmp/name").stdout.decode() == f"{name}\n"
        require_answers(command, name)

    assert command("down", "--all").returncode == 0
    for name in NAMES:
        assert leftovers(RunFolder(name, command.runtime)) == []


# ---- one enclave, again and again ----


class Blow(NamedTuple):
    """A signal at a moment, `share` of the time that the command takes, to the command or the supervisor."""

    verb: str
    target: str
    number: signal.Signals
    share: float

    def __str__(self) -> str:
        return f"{self.number.name} to the {self.target} after {self.share:.2f} of `{self.verb}`"


def blows(seed: int, count: int) -> Iterator[Blow]:
    """Two thirds of them during `up`; each kind comes before one comes again."""
    chance = random.Random(seed)
    kinds = [
        (verb, target, number)
        for verb in ("up", "up", "down")
        for target in ("command", "supervisor")
        for number in (signal.SIGINT, signal.SIGKILL)
    ]
    for round in range(count):
        if round % len(kinds) == 0:
            chance.shuffle(kinds)
        yield Blow(*kinds[round % len(kinds)], chance.random())


@pytest.mark.parametrize(
    ("seed", "rounds"), [(1, 8), pytest.param(2, 50, marks=pytest.mark.soak)], ids=["8", "50"]
)
def test_up_and_down_under_blows_leave_nothing(command: CommandLine, seed: int, rounds: int) -> None:
    run = RunFolder(f"beaten-{os.getpid()}", command.runtime)
    up, down = ("up", str(SPEC), "--name", run.name), ("down", run.name)
    took = {"up": seconds_of(command, up), "down": seconds_of(command, down)}
    for blow in blows(seed, rounds):
        if blow.verb == "down":
            begun = command(*up)
            assert begun.returncode == 0, (blow, begun.stderr.decode())
        struck = command.start(*(up if blow.verb == "up" else down))
        strike(struck, run, blow, blow.share * took[blow.verb])
        if blow.verb == "up" and blow.number is signal.SIGINT and struck.returncode:
            # Ctrl-C, or the end of its supervisor: it has taken all down itself.
            wait_until_gone(run, str(blow))
        ports = forwarded_ports(run)
        # Who was killed may have left an enclave that lives on; that one can be ended.
        if run.is_running():
            ended = command(*down)
            assert ended.returncode == 0 or not run.is_running(), (blow, ended)
        wait_until_gone(run, str(blow))
        assert not ports & listening_ports(), blow
    assert command(*up).returncode == 0
    require_answers(command, run.name)
    assert command(*down).returncode == 0
    wait_until_gone(run)


def seconds_of(command: CommandLine, words: tuple[str, ...]) -> float:
    begun = time.monotonic()
    done = command(*words)
    assert done.returncode == 0, done
    return time.monotonic() - begun


def strike(struck: subprocess.Popen[bytes], run: RunFolder, blow: Blow, after_s: float) -> None:
    """Returns when the command has ended."""
    with suppress(subprocess.TimeoutExpired):
        struck.communicate(timeout=after_s)
    target = supervisor_of(run, struck.pid) if blow.target == "supervisor" else struck.pid
    if target is not None and struck.returncode is None:
        with suppress(ProcessLookupError):
            os.kill(target, blow.number)
    struck.communicate(timeout=60)


def supervisor_of(run: RunFolder, command: int) -> int | None:
    """The process that holds the run's lock and whose parent does too; None if there is none yet."""
    holders = {pid for pid in processes() if pid != command and holds(pid, run.lock)}
    return next((pid for pid in holders if parent_of(pid) in holders), None)


def processes() -> list[int]:
    return [int(path.name) for path in Path("/proc").glob("[0-9]*")]


def holds(pid: int, file: Path) -> bool:
    with suppress(OSError):
        return any(os.readlink(each) == str(file) for each in Path(f"/proc/{pid}/fd").iterdir())
    return False


def parent_of(pid: int) -> int:
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    return 0


def forwarded_ports(run: RunFolder) -> set[int]:
    """Those of this computer that lead to the SSH of the run."""
    with suppress(FileNotFoundError):
        events = map(json.loads, run.events.read_text().splitlines())
        return {event["port"] for event in events if event["event"] == "ssh"}
    return set()


def listening_ports() -> set[int]:
    """Of TCP; proc(5), net/tcp."""
    rows = [line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    return {int(row[1].partition(":")[2], 16) for row in rows if row[3] == "0A"}


def remains(run: RunFolder) -> list[str]:
    """What a run has left, and also who only ever was to become part of it."""
    named = []
    for pid in processes():
        with suppress(OSError):
            words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
            if run.name in words or any(word.startswith(f"{run.name}-") for word in words):
                named.append(" ".join(words)[:100])
    return leftovers(run) + named


def wait_until_gone(run: RunFolder, after: str = "") -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := remains(run):
        assert time.monotonic() < deadline, f"{after}: left behind: {left}"
        time.sleep(0.02)
