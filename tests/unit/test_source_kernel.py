# SPDX-License-Identifier: Apache-2.0
"""The kernel built from Debian's sources; what make makes of them here is a fake (fake_linux_source.py)."""

import os
import subprocess
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import NamedTuple

import pytest

from orchestrator import source_kernel
from orchestrator.debian import Progress
from orchestrator.errors import EnclaveError, EnvironmentFault
from orchestrator.host_kernel import HostKernel
from orchestrator.kernel_image import ImageKind, inspect
from tests.unit import fake_debian, fake_linux_source

DEADLINE_S = 30

Build = Callable[..., HostKernel]


@pytest.fixture
def config(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    file = tmp_path / "host.config"
    file.write_text("CONFIG_SMP=y\nCONFIG_MICROCODE=n\n")
    monkeypatch.setattr(source_kernel, "CONFIG", file)
    return file


@pytest.fixture
def build(
    fake: fake_debian.FakeDebian, config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Build:
    fake_linux_source.add(fake, tmp_path)
    monkeypatch.setattr(source_kernel, "missing_tools", list)

    def run(progress: Progress = fake_debian.quiet) -> HostKernel:
        return source_kernel.ensure_source_kernel(tmp_path / "build", progress)

    return run


class Gate(NamedTuple):
    """A FIFO: whoever comes to it waits for a line."""

    path: Path
    lines: int  # open for writing all the time, so that nobody waits to open it

    def open(self) -> None:
        """Lets whoever waits go on, and whoever comes later too."""
        os.write(self.lines, b"\n" * 100)
        self.path.unlink()


@pytest.fixture
def gate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Gate]:
    path = tmp_path / "gate"
    os.mkfifo(path)
    monkeypatch.setenv("GATE", str(path))
    lines = os.open(path, os.O_RDWR)
    yield Gate(path, lines)
    os.close(lines)


def compiled(kernel: HostKernel) -> list[str]:
    return sorted((kernel.headers / "compiled").read_text().split())


def test_kernel_boots_by_pvh_and_is_named_after_its_configuration(build: Build, tmp_path: Path) -> None:
    kernel = build()
    assert inspect(kernel.vmlinux).kind is ImageKind.PVH
    assert kernel.release.startswith("9.9.0-")
    assert kernel.package_version == f"9.9-1{kernel.release.removeprefix('9.9.0')}"
    assert kernel.modules is None
    assert source_kernel.built(tmp_path / "build") == [kernel.release]


def test_it_is_built_once(build: Build, monkeypatch: pytest.MonkeyPatch) -> None:
    kernel = build()
    monkeypatch.setenv("PATH", "/nonexistent")
    assert build() == kernel
    assert compiled(kernel) == ["first", "second"]


def test_another_configuration_is_another_kernel(build: Build, config: Path) -> None:
    first = build()
    config.write_text("CONFIG_SMP=y\nCONFIG_KASAN=y\n")
    second = build()
    assert first.release != second.release
    assert first.vmlinux.exists()
    assert "CONFIG_KASAN=y" in (second.headers / ".config").read_text()


def test_what_kconfig_leaves_out_is_named(build: Build, config: Path) -> None:
    config.write_text("CONFIG_SMP=y\nCONFIG_NOT_HERE=y\n")
    with pytest.raises(EnclaveError, match="cannot be configured with CONFIG_NOT_HERE=y"):
        build()


def test_failed_build_shows_the_compilers_words_and_the_next_goes_on(
    build: Build, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("BROKEN", "second")
    with pytest.raises(EnclaveError, match=r"(?s)Linux does not build:.*second\.c:1: error: no good"):
        build()
    assert source_kernel.built(tmp_path / "build") == []
    monkeypatch.delenv("BROKEN")
    assert compiled(build()) == ["first", "second"]


def test_progress_is_told(build: Build) -> None:
    told: list[str] = []
    build(told.append)
    steps = ["choosing", "downloading", "unpacking", "configuring", "compiling", "compiling", "compiling"]
    assert [words.split()[0] for words in told] == steps
    assert told[-1] == "compiling Linux: 400 of about 1100 files"


def test_of_two_at_once_one_builds_and_the_other_waits(build: Build, gate: Gate) -> None:
    compiling, waiting = Event(), Event()

    def first(words: str) -> None:
        if words.startswith("compiling"):
            compiling.set()

    def second(words: str) -> None:
        if words.startswith("waiting for another build"):
            waiting.set()

    with ThreadPoolExecutor() as threads:
        one = threads.submit(build, first)
        try:
            assert compiling.wait(DEADLINE_S)
            other = threads.submit(build, second)
            assert waiting.wait(DEADLINE_S)
        finally:
            gate.open()
        assert one.result(DEADLINE_S) == other.result(DEADLINE_S)
    assert compiled(one.result()) == ["first", "second"]


def test_interrupted_build_ends_its_make_and_the_next_goes_on(build: Build, gate: Gate) -> None:
    def interrupt(words: str) -> None:
        if "200 of about" in words:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(interrupt)
    left = subprocess.run(["pgrep", "-f", f"O={gate.path.parent}"], check=False, capture_output=True)
    assert left.stdout == b""
    gate.path.unlink()
    assert compiled(build()) == ["first", "second"]


def test_a_make_that_started_us_keeps_its_flags_to_itself(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "n")
    monkeypatch.setenv("LOCALVERSION", "-elsewhere")
    kernel = build()
    assert compiled(kernel) == ["first", "second"]
    assert "elsewhere" not in kernel.release


def test_sources_that_nobody_compiles_are_not_unpacked(build: Build, tmp_path: Path) -> None:
    build()
    (documentation,) = tmp_path.glob("build/kernel/linux-source-*/Documentation")
    assert [path.name for path in documentation.iterdir() if path.is_file()] == ["Kconfig"]
    assert not (documentation / "deep" / "words.rst").exists()


def test_missing_tools_are_named_with_what_installs_them(
    build: Build, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(source_kernel, "missing_tools", lambda: ["bison", "flex"])
    with pytest.raises(EnvironmentFault, match="bison, flex missing") as raised:
        build()
    assert "make host-kernel" in raised.value.hint


def test_tools_are_looked_for_in_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert {"bc", "bison", "flex"} <= set(source_kernel.missing_tools())
