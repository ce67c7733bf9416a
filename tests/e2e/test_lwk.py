# SPDX-License-Identifier: Apache-2.0
"""The LWK by itself: its self-tests, under a QEMU that ends with their verdict."""

import re
import subprocess

import pytest

from orchestrator.lwk import LWK, ensure_lwk
from orchestrator.machine import DIE_WITH_PARENT
from orchestrator.qemu import find_qemu
from orchestrator.qemu_command import accelerator_args
from orchestrator.trial_run import PASSED

DEADLINE_S = 120
IN_PANIC = ("panic", "panic-double-free", "panic-stack-overflow", "panic-all-at-once", "panic-in-panic")


def run_lwk(cpus: int, cmdline: str) -> subprocess.CompletedProcess[str]:
    ensure_lwk(lambda what: None)
    command = [
        *DIE_WITH_PARENT,
        str(find_qemu()),
        *("-nodefaults", "-no-user-config", "-no-reboot"),
        *("-display", "none"),
        *("-machine", "q35"),
        *accelerator_args("tcg"),
        *("-smp", f"{cpus},maxcpus={max(cpus, 2)}"),
        *("-m", "256M"),
        *("-bios", "qboot.rom"),
        *("-kernel", str(LWK)),
        *("-append", cmdline),
        *("-serial", "stdio"),
        *("-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
    ]
    return subprocess.run(command, capture_output=True, text=True, timeout=DEADLINE_S, check=False)


@pytest.mark.parametrize("cpus", [1, 4, 64])
def test_self_tests_pass(cpus: int) -> None:
    done = run_lwk(cpus, "selftest=all")
    assert done.returncode == PASSED, done.stdout + done.stderr
    verdicts = re.findall(r"selftest: ([\w-]+): (\w+)", done.stdout)
    assert len(verdicts) >= 9
    assert {verdict for _, verdict in verdicts} == {"PASS"}
    assert f"smp: {cpus} of {cpus} CPUs online" in done.stdout or cpus == 1


@pytest.mark.parametrize("name", IN_PANIC)
def test_panic_reports_what_it_should(name: str) -> None:
    done = run_lwk(4, f"selftest={name}")
    assert done.returncode == PASSED, done.stdout + done.stderr
    assert f"selftest: {name}: PASS" in done.stdout


def test_unknown_self_test_fails() -> None:
    done = run_lwk(1, "selftest=no-such-test")
    assert done.returncode == 35
    assert "selftest: no-such-test: FAIL: no such test" in done.stdout
