# SPDX-License-Identifier: Apache-2.0
"""Linux kernel modules as files: what they need, for which kernel they are, and in what order they load."""

import struct
from collections.abc import Mapping, Sequence
from io import BytesIO
from pathlib import Path

from elftools.elf.elffile import ELFFile

# What scripts/sign-file.c appends: the signature, 12 bytes of which the last 4 are its length, and this.
_SIGNATURE_MAGIC = b"~Module signature appended~\n"
_SIGNATURE_INFO_BYTES = 12


def name_of(path: str) -> str:
    """The kernel's name for the module in a file."""
    return path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")


def dependencies(module: bytes) -> list[str]:
    """The names of the modules that must be loaded before this one."""
    return [name for name in _info(module, "depends").split(",") if name]


def vermagic(module: bytes) -> str:
    """The kernel that a module was built for, in the words that the kernel compares with its own."""
    return _info(module, "vermagic")


def in_load_order(files: Mapping[str, Path], wanted: Sequence[str]) -> dict[str, bytes]:
    """The modules `wanted` and all that they depend on, by name, each after its dependencies.

    Without signatures: to check one takes milliseconds under TCG, and Debian's kernel does not insist on it.
    """
    ordered: dict[str, bytes] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        module = without_signature(files[name].read_bytes())
        for dependency in dependencies(module):
            visit(dependency)
        ordered[name] = module

    for name in wanted:
        visit(name)
    return ordered


def without_signature(module: bytes) -> bytes:
    if not module.endswith(_SIGNATURE_MAGIC):
        return module
    end = len(module) - len(_SIGNATURE_MAGIC)
    (length,) = struct.unpack(">I", module[end - 4 : end])
    return module[: end - _SIGNATURE_INFO_BYTES - length]


def _info(module: bytes, key: str) -> str:
    section = ELFFile(BytesIO(module)).get_section_by_name(".modinfo")
    lines = section.data().decode().split("\0") if section else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{key}=")), "")
