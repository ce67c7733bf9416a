# SPDX-License-Identifier: Apache-2.0
"""How `enclave gdb` starts gdb, and what keeps it from that."""

import json
import tempfile
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from orchestrator.cli import main
from orchestrator.run import RunFolder
from tests.unit.fake_supervisor import FakeSupervisor

PYTHON = "--with-python=/usr"


@pytest.fixture
def supervisor(monkeypatch: pytest.MonkeyPatch) -> Iterator[FakeSupervisor]:
    with tempfile.TemporaryDirectory(prefix="enclave-test-") as folder:
        monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", folder)
        with closing(FakeSupervisor(RunFolder("duo"))) as made:
            yield made


@pytest.fixture
def started(monkeypatch: pytest.MonkeyPatch) -> list[tuple[list[str], dict[str, Any]]]:
    """What gdb was started with: its arguments, and what our commands in it are told."""
    calls: list[tuple[list[str], dict[str, Any]]] = []

    def execve(path: str, arguments: list[str], environment: dict[str, str]) -> None:
        calls.append((arguments, json.loads(environment["ENCLAVE_GDB"])))

    monkeypatch.setattr("orchestrator.gdb_cli.os.execve", execve)
    return calls


def install_gdb(folder: Path, monkeypatch: pytest.MonkeyPatch, configuration: str = PYTHON) -> None:
    program = folder / "gdb"
    program.write_text(f"#!/bin/sh\necho ' {configuration}'\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(folder), prepend=":")


def enclave(*arguments: str) -> Result:
    return CliRunner().invoke(main, arguments)


def lwk0(supervisor: FakeSupervisor) -> dict[str, Any]:
    found: dict[str, Any] = supervisor.status["partitions"][1]
    return found


def test_gdb_gets_symbols_commands_and_a_persons_arguments(
    supervisor: FakeSupervisor,
    started: list[tuple[list[str], dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_gdb(tmp_path, monkeypatch)
    assert enclave("gdb", "lwk0", "--", "-batch", "-ex", "lwk ps").exit_code == 0
    ((arguments, told),) = started
    assert arguments[-3:] == ["-batch", "-ex", "lwk ps"]
    assert arguments.index("/build/lwk.elf") < arguments.index("enclave attach") < arguments.index("lwk ps")
    assert told["gdb_socket"] == "/run/gdb-lwk0.sock"
    assert not told["runs_linux"]


def test_without_gdb_the_package_is_named(
    supervisor: FakeSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    result = enclave("gdb", "lwk0")
    assert result.exit_code == 3
    assert result.stderr == ("enclave: gdb is not on this computer\n  hint: sudo apt-get install gdb\n")


def test_gdb_without_python(
    supervisor: FakeSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_gdb(tmp_path, monkeypatch, "--without-python")
    result = enclave("gdb", "lwk0")
    assert result.exit_code == 3
    assert "was built without Python" in result.stderr


def test_second_gdb_is_told_of_the_first(
    supervisor: FakeSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_gdb(tmp_path, monkeypatch)
    lwk0(supervisor)["debugger_pid"] = 77
    result = enclave("gdb", "lwk0")
    assert result.exit_code == 2
    assert result.stderr == (
        "enclave: lwk0 is in another gdb (process 77)\n"
        "  hint: `detach` there, or `kill 77`: the partition runs on\n"
    )


def test_nothing_to_debug(
    supervisor: FakeSupervisor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    install_gdb(tmp_path, monkeypatch)
    lwk0(supervisor).update(pid=None, state="EXITED", reason="QEMU was killed by signal 9 (SIGKILL)")
    result = enclave("gdb", "lwk0")
    assert result.exit_code == 2
    assert "no QEMU runs lwk0: QEMU was killed by signal 9 (SIGKILL)" in result.stderr


def test_custom_kernel_that_has_no_symbols(
    supervisor: FakeSupervisor,
    started: list[tuple[list[str], dict[str, Any]]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    install_gdb(tmp_path, monkeypatch)
    kernel = tmp_path / "bzImage"
    kernel.write_bytes(b"MZ no ELF")
    lwk0(supervisor).update(kernel="custom", kernel_file=str(kernel))
    assert f"{kernel} is no ELF file: there are no symbols" in enclave("gdb", "lwk0").stderr
    kernel.write_bytes(b"\x7fELF")
    assert enclave("gdb", "lwk0").stderr == ""
    assert [str(kernel) in arguments for arguments, _ in started] == [False, True]


def test_profile_and_wait_gdb_exclude_each_other() -> None:
    result = enclave("up", "specs/duo.yaml", "--profile", "--wait-gdb", "lwk0")
    assert result.exit_code == 2
    assert "--profile measures a boot, and --wait-gdb stops it" in result.stderr
