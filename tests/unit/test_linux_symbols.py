# SPDX-License-Identifier: Apache-2.0
"""gdb's symbols of a kernel that carries kallsyms and nothing else."""

import subprocess
from pathlib import Path

import pytest

from orchestrator import linux_symbols
from orchestrator.kallsyms import NoTable, Symbol
from orchestrator.linux_symbols import ensure_symbols
from tests.unit.fake_kallsyms import BASE, table

PER_CPU = Symbol(0x1FB80, "A", "current_task")


def symbols() -> list[Symbol]:
    many = [Symbol(BASE + 16 * number, "t", f"function_{number}") for number in range(2000)]
    many[7] = many[7]._replace(kind="T", name="schedule_timeout")
    return [PER_CPU, *many]


def test_kernel_without_kallsyms_leaves_no_file(tmp_path: Path) -> None:
    kernel = tmp_path / "kernel"
    kernel.write_bytes(bytes(4096))
    with pytest.raises(NoTable, match="kernel carries no table"):
        ensure_symbols(kernel, "6.1-none")
    assert list(tmp_path.iterdir()) == [kernel]


def test_symbol_file_is_one_that_binutils_read(tmp_path: Path) -> None:
    source = tmp_path / "kernel.s"
    (tmp_path / "tables").write_bytes(table(symbols()))
    source.write_text(f'.text\n.skip {16 * 2000}\n.section .rodata,"a"\n.balign 8\n.incbin "tables"\n')
    kernel = tmp_path / "kernel"
    for command in (
        ["as", "-o", "kernel.o", "kernel.s"],
        ["ld", f"-Ttext={BASE:#x}", "-e", "0", "-s", "-o", "kernel", "kernel.o"],
    ):
        subprocess.run(command, cwd=tmp_path, check=True)
    made = ensure_symbols(kernel, "6.1-none")
    assert made == tmp_path / "kernel.symbols"
    shown = subprocess.run(["nm", made], capture_output=True, text=True, check=True).stdout.splitlines()
    assert f"{BASE + 7 * 16:x} T schedule_timeout" in shown
    assert "000000000001fb80 a current_task" in [line.replace(" A ", " a ") for line in shown]
    assert len(shown) == len(symbols())


def test_better_symbols_are_preferred(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = tmp_path / "vmlinux.boot"
    (tmp_path / "vmlinux").touch()
    assert ensure_symbols(kernel, "6.1") == tmp_path / "vmlinux"
    packaged = tmp_path / "debug"
    packaged.mkdir()
    (packaged / "vmlinux-6.1").touch()
    monkeypatch.setattr(linux_symbols, "DEBUG_PACKAGES", packaged)
    assert ensure_symbols(kernel, "6.1") == packaged / "vmlinux-6.1"
