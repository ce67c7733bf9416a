# SPDX-License-Identifier: Apache-2.0
"""Kernels of every kind that people hand to QEMU, made here byte by byte."""

import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.kernel_image import ImageKind, KernelImageError, inspect

ENTRY = 0x100000
MACHINES = {"386": 3, "arm": 40, "x86-64": 62, "arm64": 183}
EXECUTABLE, RELOCATABLE = 2, 1
LOAD, INTERPRETER, NOTE = 1, 3, 4


def elf(machine: str, body: bytes, segment: int = LOAD, kind: int = EXECUTABLE) -> bytes:
    """An ELF file of one segment that begins at offset 128; 64-bit for machines with 64 in their name."""
    wide = "64" in machine
    ident = b"\x7fELF" + bytes([2 if wide else 1, 1, 1]) + bytes(9)
    header_size, entry_size = (64, 56) if wide else (52, 32)
    sizes = (header_size, entry_size, 1, 0, 0, 0)
    if wide:
        header = struct.pack("<HHIQQQI6H", kind, MACHINES[machine], 1, ENTRY, 64, 0, 0, *sizes)
        table = struct.pack("<IIQQQQQQ", segment, 5, 128, ENTRY, ENTRY, len(body), len(body), 4)
    else:
        header = struct.pack("<HHIIIII6H", kind, MACHINES[machine], 1, ENTRY, 52, 0, 0, *sizes)
        table = struct.pack("<IIIIIIII", segment, 128, ENTRY, ENTRY, len(body), len(body), 5, 4)
    return (ident + header + table).ljust(128, b"\0") + body


def note(name: bytes = b"Xen\0", kind: int = 18) -> bytes:
    return struct.pack("<III", len(name), 4, kind) + name + struct.pack("<I", ENTRY)


def multiboot1(flags: int = 0) -> bytes:
    return struct.pack("<III", 0x1BADB002, flags, -(0x1BADB002 + flags) % (1 << 32)) + bytes(64)


def multiboot2() -> bytes:
    return struct.pack("<IIII", 0xE85250D6, 0, 16, -(0xE85250D6 + 16) % (1 << 32)) + bytes(64)


def bzimage() -> bytes:
    return bytes(0x202) + b"HdrS" + bytes(100)


GOOD = {
    "bzImage": (bzimage(), ImageKind.BZIMAGE),
    "64-bit ELF with PVH note": (elf("x86-64", note(), NOTE), ImageKind.PVH),
    "32-bit ELF with PVH note": (elf("386", note(), NOTE), ImageKind.PVH),
    "32-bit ELF with multiboot 1": (elf("386", multiboot1()), ImageKind.MULTIBOOT),
    "raw image with multiboot 1 and addresses": (multiboot1(1 << 16), ImageKind.MULTIBOOT),
}

# The file, what the message must call it, and what the hint must advise.
BAD = {
    "64-bit ELF without note": (elf("x86-64", bytes(64)), "64-bit ELF without PVH note", "add the note"),
    "note of another owner": (
        elf("x86-64", note(b"GNU\0"), NOTE),
        "64-bit ELF without PVH note",
        "add the note",
    ),
    "note of another type": (
        elf("x86-64", note(kind=6), NOTE),
        "64-bit ELF without PVH note",
        "add the note",
    ),
    "multiboot 2 only": (elf("x86-64", multiboot2()), "a multiboot 2 header only", "add the note"),
    "raw multiboot 2": (multiboot2(), "a raw image with a multiboot 2 header", "PVH note"),
    "64-bit ELF with multiboot 1": (
        elf("x86-64", multiboot1()),
        "only from 32-bit ELF",
        "objcopy -O elf32-i386",
    ),
    "raw multiboot 1": (multiboot1(), "has no load addresses", "bit 16"),
    "multiboot 1 with a wrong sum": (
        elf("386", multiboot1()[:8] + bytes(64)),
        "without PVH note",
        "add the note",
    ),
    "Arm ELF": (elf("arm", bytes(64)), "an ELF file for ARM", "build it for x86-64"),
    "64-bit Arm ELF": (elf("arm64", note(), NOTE), "an ELF file for AArch64", "build it for x86-64"),
    "arm64 Image": (bytes(56) + b"ARM\x64" + bytes(8), "64-bit Arm", "ARCH=x86_64"),
    "program": (
        elf("x86-64", b"/lib64/ld-linux-x86-64.so.2\0", INTERPRETER),
        "a program for Linux",
        "bzImage",
    ),
    "object file": (elf("x86-64", bytes(64), kind=RELOCATABLE), "an object file or kernel module", "link it"),
    "damaged ELF": (b"\x7fELF\x02\x01", "damaged ELF", "build or copy it again"),
    "text": (b"# a makefile\nall:\n\ttrue\n", "a text file", "name the kernel"),
    "script": (b"#!/bin/sh\n", "a script", "bzImage"),
    "gzip": (b"\x1f\x8b\x08" + bytes(64), "a gzip file", "gunzip"),
    "raw bytes": (bytes(range(256)), "raw bytes without any boot header", "objcopy"),
    "empty": (b"", "is empty", "build the kernel again"),
}


@pytest.mark.parametrize("name", GOOD)
def test_startable_kernel_is_recognised(name: str, tmp_path: Path) -> None:
    content, kind = GOOD[name]
    path = tmp_path / "kernel"
    path.write_bytes(content)
    assert inspect(path).kind is kind


@pytest.mark.parametrize("name", BAD)
def test_wrong_kernel_is_called_by_its_name(name: str, tmp_path: Path) -> None:
    content, what, advice = BAD[name]
    path = tmp_path / "kernel"
    path.write_bytes(content)
    with pytest.raises(KernelImageError) as caught:
        inspect(path)
    assert str(path) in caught.value.message
    assert what in caught.value.message
    assert advice in caught.value.hint
    assert caught.value.exit_status == 2


def test_missing_kernel(tmp_path: Path) -> None:
    with pytest.raises(KernelImageError, match="does not exist"):
        inspect(tmp_path / "kernel")


def test_directory_for_a_kernel(tmp_path: Path) -> None:
    with pytest.raises(KernelImageError, match="is a directory"):
        inspect(tmp_path)


@given(
    cut=st.integers(0, 200),
    changes=st.lists(st.tuples(st.integers(0, 199), st.integers(0, 255)), max_size=8),
)
def test_damaged_kernel_is_refused_in_words_or_startable(
    tmp_path_factory: pytest.TempPathFactory, cut: int, changes: list[tuple[int, int]]
) -> None:
    content = bytearray(elf("x86-64", note() + bytes(64), NOTE))
    for offset, byte in changes:
        content[offset] = byte
    path = tmp_path_factory.getbasetemp() / "damaged"
    path.write_bytes(content[: len(content) - cut])
    with suppress(KernelImageError):
        assert inspect(path).kind in ImageKind
