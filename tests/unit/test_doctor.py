# SPDX-License-Identifier: Apache-2.0
import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator import accelerator, doctor, qemu
from orchestrator.cli import main
from orchestrator.doctor import Finding, Level
from orchestrator.errors import EnvironmentFault
from orchestrator.trial import Trial

FAKE_QEMU = """\
#!/bin/sh
case "$*" in
    --version) echo "QEMU emulator version {version} (Debian)" ;;
    "-device help") printf 'name "%s", bus PCI\\n' {devices} ;;
    "-L help") echo "$(dirname "$0")" ;;
esac
"""


def install(folder: Path, version: str = "7.2.22", devices: tuple[str, ...] = qemu.DEVICES) -> Path:
    """A QEMU that answers questions, with its firmware beside it."""
    program = folder / qemu.BINARY
    program.write_text(FAKE_QEMU.format(version=version, devices=" ".join(devices)))
    program.chmod(0o755)
    for name in qemu.FIRMWARE:
        (folder / name).touch()
    return program


@pytest.fixture
def computer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A computer on which TCG works and KVM does not; its PATH is the folder returned, then the real one."""
    trials = (Trial("kvm", False, 2.5, "the guest printed nothing"), Trial("tcg", True, 0.3, "good"))
    monkeypatch.setattr(accelerator, "try_accelerators", lambda program: trials)
    monkeypatch.setenv("PATH", str(tmp_path), prepend=":")
    # Not in pytest's folder: the path of a socket may not be long.
    monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", "/tmp/nobody-makes-this")
    install(tmp_path)
    return tmp_path


def findings() -> dict[str, Finding]:
    return {finding.subject: finding for finding in doctor.examine()}


def test_fit_computer_has_no_fault(computer: Path) -> None:
    found = findings()
    assert [each for each in found.values() if each.level is Level.FAULT] == []
    assert found["qemu"].found.startswith(f"{computer / qemu.BINARY}, version 7.2")
    assert found["kvm"].level is Level.NOTE
    assert found["accelerator"].found == "tcg is used unless --accel says otherwise"


def test_old_qemu_and_missing_devices_are_faults(computer: Path) -> None:
    install(computer, version="6.1.0", devices=("pvpanic",))
    (computer / "qboot.rom").unlink()
    finding = findings()["qemu"]
    assert finding.level is Level.FAULT
    for word in ("version 6.1, 7.2 or newer", "no device ivshmem-doorbell", "qboot.rom is missing"):
        assert word in finding.found
    assert finding.cure


def test_missing_qemu_is_a_fault_and_the_rest_is_examined(
    computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(computer / "empty"))
    found = findings()
    assert found["qemu"].level is Level.FAULT
    assert "apt-get install" in found["qemu"].cure
    assert found["tools"].level is Level.FAULT
    assert "gcc" in found["tools"].found
    assert "memory" in found


def test_qemu_that_says_nothing_is_a_fault(computer: Path) -> None:
    (computer / qemu.BINARY).write_text("#!/bin/sh\n")
    with pytest.raises(EnvironmentFault, match="does not tell its version"):
        qemu.inspect_qemu(computer / qemu.BINARY)


def test_runtime_folder_that_may_not_be_used(computer: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", str(computer / ("long" * 40)))
    assert findings()["run folder"].level is Level.FAULT


def test_exit_status_is_3_for_a_fault_and_json_has_every_finding(
    computer: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fine = CliRunner().invoke(main, ["doctor", "--json"])
    assert fine.exit_code == 0
    assert {"subject", "level", "found", "cure"} == set(json.loads(fine.stdout)[0])
    install(computer, version="6.0.0")
    ill = CliRunner().invoke(main, ["doctor"])
    assert ill.exit_code == 3
    assert "fault  qemu: " in ill.stdout
