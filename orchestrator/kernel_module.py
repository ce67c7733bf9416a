# SPDX-License-Identifier: Apache-2.0
"""Linux kernel modules as files: what they need, for which kernel they are, and in what order they load."""

import os
import re
import subprocess
import tempfile
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile

from orchestrator.errors import EnvironmentFault


def name_of(path: str) -> str:
    """The kernel's name for the module in a file."""
    return path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")


def dependencies(module: bytes) -> list[str]:
    """The names of the modules that must be loaded before this one."""
    return [name for name in _info(module, "depends").split(",") if name]


def vermagic(module: bytes) -> str:
    """The kernel that a module was built for, in the words that the kernel compares with its own."""
    return _info(module, "vermagic")


def vermagic_wanted(vmlinux: Path, release: str) -> str:
    """The vermagic that a kernel insists on, as it stands in itself: release and words, each with a space."""
    found = re.search(rb"%b (?:\w+ )+(?=\0)" % re.escape(release.encode()), vmlinux.read_bytes())
    if not found:
        raise EnvironmentFault(
            f"{vmlinux} does not say for which modules it is", "it was built without CONFIG_MODULES"
        )
    return found[0].decode()


def in_load_order(load: Callable[[str], bytes], wanted: Sequence[str]) -> dict[str, bytes]:
    """The modules `wanted` and all that they depend on, by name, each after its dependencies.

    `load` gives the content of a module by its name.
    """
    ordered: dict[str, bytes] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        module = load(name)
        for dependency in dependencies(module):
            visit(dependency)
        ordered[name] = module

    for name in wanted:
        visit(name)
    return ordered


def libraries(ordered: Mapping[str, bytes]) -> list[str]:
    """Those that probe no device when they are loaded, and need only such ones."""
    found: list[str] = []
    for name, module in ordered.items():
        # A driver names its devices.
        if not _info(module, "alias") and set(dependencies(module)) <= set(found):
            found.append(name)
    return found


def without_ballast(file: Path) -> bytes:
    """The module without what only costs time at each boot: the signature, which Debian's kernel does not
    insist on, and the type information for BPF. Raises EnvironmentFault if objcopy is missing or fails.
    """
    with tempfile.TemporaryDirectory() as scratch:
        lean = Path(scratch) / "module.ko"
        # What is appended to the ELF, as the signature is, it leaves out by itself.
        command = ["objcopy", "--remove-section=.BTF", os.fspath(file), os.fspath(lean)]
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)
        except FileNotFoundError:
            raise EnvironmentFault(
                "objcopy is not on this computer", "sudo apt-get install binutils"
            ) from None
        if done.returncode:
            raise EnvironmentFault(
                f"objcopy cannot read {file}: {done.stderr.strip()}", "is it a module, as `file` sees it?"
            )
        return lean.read_bytes()


def _info(module: bytes, key: str) -> str:
    section = ELFFile(BytesIO(module)).get_section_by_name(".modinfo")
    lines = section.data().decode().split("\0") if section else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{key}=")), "")
