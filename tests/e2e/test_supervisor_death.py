# SPDX-License-Identifier: Apache-2.0
"""Ends of a run, ordered and violent: nothing stays but the logs."""

import json
import os
import signal
import time
from collections.abc import Callable

import pytest

from orchestrator.client import Client
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.run import RunFolder
from tests.e2e.conftest import ROOT, CommandLine, leftovers, processes_of

GONE_WITHIN_S = 60.0


def wait_until_gone(run: RunFolder, find: Callable[[RunFolder], list[str]] = leftovers) -> None:
    deadline = time.monotonic() + GONE_WITHIN_S
    while left := find(run):
        assert time.monotonic() < deadline, f"left behind: {left}"
        time.sleep(0.02)


def guardian_of(enclave: Enclave) -> int:
    supervisor = enclave.status()["supervisor_pid"]
    with open(f"/proc/{supervisor}/stat") as file:
        return int(file.read().rpartition(")")[2].split()[1])


def test_killed_supervisor_leaves_nothing_and_its_name_is_free_again(command: CommandLine) -> None:
    assert command("up", "specs/solo.yaml").returncode == 0
    run = RunFolder("solo", command.runtime)
    assert leftovers(run)
    os.kill(Client(run).status()["supervisor_pid"], signal.SIGKILL)
    wait_until_gone(run)
    assert "killed by signal 9 (SIGKILL)" in json.loads(run.status_final.read_text())["reason"]
    assert run.console_log("lwk0").read_text()
    status = command("status", "-e", "solo")
    assert status.returncode == 2
    assert "enclave solo is not running" in status.stderr.decode()

    assert command("up", "specs/solo.yaml").returncode == 0
    assert command("down").returncode == 0
    assert leftovers(run) == []
    assert "lwk: ready" in command("log", "lwk0", "-e", "solo").stdout.decode()
    final = json.loads(run.status_final.read_text())
    assert {each["name"] for each in final["partitions"]} == {"host", "lwk0"}

    assert command("gc").stdout.decode() == f"removed {run.path}\n"
    assert not run.path.exists()


def test_killed_guardian_ends_the_run_in_order(enclave_factory: EnclaveFactory) -> None:
    with enclave_factory(ROOT / "specs" / "solo.yaml") as enclave:
        os.kill(guardian_of(enclave), signal.SIGKILL)
        wait_until_gone(enclave.run)
        assert not enclave.run.is_running()


def test_nobody_left_to_clear_up_leaves_no_process(enclave_factory: EnclaveFactory) -> None:
    with enclave_factory(ROOT / "specs" / "solo.yaml") as enclave:
        pids = guardian_of(enclave), enclave.status()["supervisor_pid"]
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        wait_until_gone(enclave.run, processes_of)
        assert not enclave.run.is_running()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_interrupted_up_takes_everything_down(command: CommandLine, number: int) -> None:
    up = command.start("up", "specs/solo.yaml")
    assert up.stderr is not None
    seen = b""
    while b"lwk0: READY" not in seen:
        line = up.stderr.readline()
        assert line, seen
        seen += line
    up.send_signal(number)
    up.communicate(timeout=GONE_WITHIN_S)
    assert up.returncode == 130
    assert leftovers(RunFolder("solo", command.runtime)) == []
