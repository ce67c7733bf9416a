# SPDX-License-Identifier: Apache-2.0
"""What cannot work is told in words, with the exit status of its kind, and nothing is left behind."""

import os
import struct
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.accelerator import try_accelerators
from orchestrator.cli import main
from orchestrator.qemu import find_qemu
from orchestrator.room import available_memory
from tests.e2e.conftest import ROOT

GOOD = (ROOT / "specs" / "solo.yaml").read_text()
USAGE, ENVIRONMENT = 2, 3


class World:
    """A folder for bad things, and the command to be fed with them; in this process, to be fast."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.environment = {"ENCLAVE_RUNTIME_DIR": str(folder / "runtime")}

    @property
    def runtime(self) -> Path:
        return Path(self.environment["ENCLAVE_RUNTIME_DIR"])

    def write(self, name: str, content: str | bytes) -> Path:
        path = self.folder / name
        path.write_bytes(content.encode() if isinstance(content, str) else content)
        return path

    def up_fails(self, spec: Path, status: int, *words: str, options: tuple[str, ...] = ()) -> None:
        """Runs `up`, which must end with that status, say all the words, and leave nothing."""
        done = CliRunner(env=self.environment).invoke(main, ["up", str(spec), *options])
        told = done.stderr
        assert done.exit_code == status, told
        for word in words:
            assert word in told, told
        assert done.stdout == ""
        assert not self.runtime.exists() or list(self.runtime.iterdir()) == []


@pytest.fixture
def world(tmp_path: Path) -> World:
    return World(tmp_path)


# ---- specs ----


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("memory: {0: 512M}", "memroy: {0: 512M}", [":10:", "memroy", "memory"]),
        ("cpus: 1,", "cpus: 0-1,", [":11:", "CPU 0", "host"]),
        ("{0: 128M}", "{0: 4G}", [":11:", "4G", "1G"]),
        ("cpus: 1,", "cpus: [],", [":11:", "no CPU"]),
        ("{0: 128M}", "{3: 128M}", [":11:", "3"]),
        ("{0: 128M}", "{0: 128MB}", [":11:", "128MB", "128M"]),
        ("{0: 128M}", "{0: 128}", [":11:", "128", "unit"]),
        ("cpus: 1,", "cpus: 7,", [":11:", "7"]),
        ("kernel: lwk", "kernel: lvk", [":11:", "lvk", "lwk"]),
        ("name: solo", "name: {{ nme }}", [":4:", "nme"]),
        ("name: solo", "name: {% if %}", [":4:", "template"]),
        ("name: solo", "name: [solo", ["YAML"]),
    ],
    ids=[
        "unknown key",
        "overlapping CPUs",
        "memory that does not fit",
        "empty slice",
        "unknown NUMA node",
        "wrong unit",
        "no unit",
        "unknown CPU",
        "unknown kernel",
        "undefined variable",
        "broken template",
        "not YAML",
    ],
)
def test_wrong_spec_names_file_line_value_and_cure(
    world: World, old: str, new: str, words: list[str]
) -> None:
    assert old in GOOD
    path = world.write("bad.yaml", GOOD.replace(old, new))
    world.up_fails(path, USAGE, "bad.yaml", *words)


@pytest.mark.parametrize(
    ("content", "words"),
    [(b"", ["empty"]), (b"name: caf\xe9\n", [":1:", "UTF-8", "0xe9"]), (b"just words\n", ["bad.yaml"])],
    ids=["empty file", "not UTF-8", "not a mapping"],
)
def test_file_that_is_no_spec(world: World, content: bytes, words: list[str]) -> None:
    world.up_fails(world.write("bad.yaml", content), USAGE, *words)


def test_missing_spec_and_folder_as_spec(world: World) -> None:
    world.up_fails(world.folder / "nowhere.yaml", USAGE, "no such file")
    world.up_fails(world.folder, USAGE, "directory")


def test_unused_and_broken_definitions(world: World) -> None:
    world.up_fails(ROOT / "specs" / "family.yaml", USAGE, "lkws", "lwks", options=("-D", "lkws=3"))
    world.up_fails(ROOT / "specs" / "family.yaml", USAGE, "-D name=value", options=("-D", "three"))


def test_bad_name_of_an_enclave(world: World) -> None:
    world.up_fails(ROOT / "specs" / "solo.yaml", USAGE, "../up", options=("--name", "../up"))


# ---- kernels ----


def elf(machine: int, bits: int = 64) -> bytes:
    """An ELF header and nothing behind it (ELF-64 Object File Format, figure 3)."""
    ident = b"\x7fELF" + bytes([bits // 32, 1, 1]) + bytes(9)
    if bits == 32:
        return ident + struct.pack("<HHIIIIIHHHHHH", 2, machine, 1, 0x100000, 0, 0, 0, 52, 32, 0, 40, 0, 0)
    return ident + struct.pack("<HHIQQQIHHHHHH", 2, machine, 1, 0x100000, 0, 0, 0, 64, 56, 0, 64, 0, 0)


def multiboot2() -> bytes:
    """A header of 24 bytes: magic, i386, length, checksum, end tag (Multiboot2 2.0, 3.1)."""
    magic = 0xE85250D6
    return struct.pack("<IIII", magic, 0, 24, -(magic + 24) & 0xFFFFFFFF) + struct.pack("<HHI", 0, 0, 8)


KERNELS = {
    "ELF64 without a PVH note": (elf(62), ["PVH note"]),
    "multiboot 2 only": (elf(62) + multiboot2(), ["multiboot 2"]),
    "a text file": (b"I am a kernel.\n", ["text"]),
    "an Arm kernel": (elf(183), ["AArch64"]),
}


@pytest.mark.parametrize("kind", KERNELS)
def test_wrong_kernel_is_told_what_it_is(world: World, kind: str) -> None:
    content, words = KERNELS[kind]
    world.write("kernel", content)
    spec = world.write("bad.yaml", GOOD.replace("kernel: lwk", "kernel: {path: kernel}"))
    world.up_fails(spec, USAGE, "bad.yaml:11", "kernel", *words)


def test_kernel_that_is_a_folder_or_is_not_there(world: World) -> None:
    (world.folder / "kernel").mkdir()
    spec = world.write("bad.yaml", GOOD.replace("kernel: lwk", "kernel: {path: kernel}"))
    world.up_fails(spec, USAGE, "bad.yaml:11", "directory")
    (world.folder / "kernel").rmdir()
    world.up_fails(spec, USAGE, "bad.yaml:11", "kernel")


# ---- the computer ----


def test_missing_qemu(world: World) -> None:
    tools = world.folder / "bin"
    tools.mkdir()
    for folder in map(Path, os.environ["PATH"].split(":")):
        for tool in folder.iterdir() if folder.is_dir() else []:
            if not tool.name.startswith("qemu") and not (tools / tool.name).exists():
                (tools / tool.name).symlink_to(tool)
    world.environment["PATH"] = str(tools)
    world.up_fails(ROOT / "specs" / "solo.yaml", ENVIRONMENT, "qemu-system-x86_64", "apt-get install")


def test_unusable_kvm(world: World) -> None:
    if next(trial for trial in try_accelerators(find_qemu()) if trial.accelerator == "kvm").passed:
        pytest.skip("KVM works here")
    spec = ROOT / "specs" / "solo.yaml"
    world.up_fails(spec, ENVIRONMENT, "KVM cannot be used", "--accel tcg", options=("--accel", "kvm"))


def test_no_room_in_memory(world: World) -> None:
    if available_memory() > 200 << 30:
        pytest.skip("there is room for any spec here")
    spec = GOOD.replace("memory: 1G", "memory: 220G").replace("{0: 128M}", "{0: 200G}")
    world.up_fails(world.write("large.yaml", spec), ENVIRONMENT, "needs", "are available")


def test_runtime_folder_that_others_may_write_to(world: World) -> None:
    world.runtime.mkdir()
    world.runtime.chmod(0o777)
    world.up_fails(ROOT / "specs" / "solo.yaml", ENVIRONMENT, "others may write")


def test_path_of_sockets_that_is_too_long(world: World) -> None:
    world.environment["ENCLAVE_RUNTIME_DIR"] = str(world.folder / ("long" * 30))
    world.up_fails(ROOT / "specs" / "solo.yaml", ENVIRONMENT, "ENCLAVE_RUNTIME_DIR")
