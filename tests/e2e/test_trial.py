# SPDX-License-Identifier: Apache-2.0
"""The trial of accelerators can fail: what it guards against is made to happen."""

import json
from pathlib import Path

import pytest

from orchestrator import trial_run
from orchestrator.qemu import find_qemu
from tests.e2e.conftest import CommandLine

ATTEMPTS = 30


def test_tcg_passes() -> None:
    (tcg,) = trial_run.run_trials(find_qemu(), ("tcg",))
    assert tcg.passed, tcg.finding
    assert "lost nothing" in tcg.finding


def test_lost_updates_are_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """With room for one CPU only, TCG takes a guest to be alone and its locked instructions to be plain.

    Updates are lost while both guests run at once, which a busy computer may not grant them.
    """
    command = trial_run._command

    def of_one_cpu(qemu: Path, accelerator: str, connection: int) -> list[str]:
        return [word.replace("1,maxcpus=2", "1") for word in command(qemu, accelerator, connection)]

    monkeypatch.setattr(trial_run, "_command", of_one_cpu)
    findings = (trial_run.run_trials(find_qemu(), ("tcg",))[0].finding for _ in range(ATTEMPTS))
    assert any("locked additions of different VMs were lost" in finding for finding in findings)


def test_silent_guest_is_given_up_and_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    command = trial_run._command

    def stopped(qemu: Path, accelerator: str, connection: int) -> list[str]:
        return [*command(qemu, accelerator, connection), "-S"]

    monkeypatch.setattr(trial_run, "_command", stopped)
    monkeypatch.setattr(trial_run, "PATIENCE_S", {"tcg": 1.0})
    (tcg,) = trial_run.run_trials(find_qemu(), ("tcg",))
    assert tcg.finding == "no verdict after 1 s; the guest printed nothing"
    assert tcg.seconds >= 1.0


def test_doctor_finds_this_computer_fit(command: CommandLine) -> None:
    done = command("doctor", "--json")
    findings = {each["subject"]: each for each in json.loads(done.stdout)}
    assert done.returncode == 0, findings
    assert findings["tcg"]["level"] == "ok"
    assert "is used unless --accel" in findings["accelerator"]["found"]
    assert all(each["cure"] for each in findings.values() if each["level"] == "fault")
