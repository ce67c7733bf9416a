# SPDX-License-Identifier: Apache-2.0
"""What a kernel file is, and whether QEMU's -kernel can start it; if not, the reason in words and the cure.

QEMU's order of trying (hw/i386/x86.c, `x86_load_linux`) is followed here: Linux's setup header, multiboot 1,
ELF with a PVH note. What is none of them it takes for a Linux of 1991 and runs, so a text file hangs mutely.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path
from typing import NoReturn

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from orchestrator.errors import UsageError

MULTIBOOT1_MAGIC, MULTIBOOT1_REACH, MULTIBOOT1_ALIGN = 0x1BADB002, 8192, 4  # Multiboot 0.6.96, 3.1
MULTIBOOT1_HAS_ADDRESSES = 1 << 16
MULTIBOOT2_MAGIC, MULTIBOOT2_REACH, MULTIBOOT2_ALIGN = 0xE85250D6, 32768, 8  # Multiboot2 2.0, 3.1
XEN_ELFNOTE_PHYS32_ENTRY = 18  # xen/include/public/elfnote.h: the PVH entry point

STARTABLE = "QEMU starts a bzImage, an x86 ELF with a PVH note, or a 32-bit ELF with a multiboot 1 header"
PVH_CURE = (
    'add the note: an ELF note of type 18, name "Xen", whose value is the address of a 32-bit entry point'
)


class ImageKind(Enum):
    """The protocol by which QEMU hands over to the kernel."""

    BZIMAGE = "bzImage"
    MULTIBOOT = "multiboot 1"
    PVH = "ELF with PVH note"


@dataclass(frozen=True, slots=True)
class KernelImage:
    path: Path
    kind: ImageKind


class KernelImageError(UsageError):
    """The file is no kernel that can be started; the message says what it is, the hint what to do."""


def inspect(path: Path) -> KernelImage:
    """Reads the file. Raises KernelImageError."""
    content = _read(path)
    if content[0x202:0x206] == b"HdrS":  # Linux Documentation/x86/boot.rst, "The Real-Mode Kernel Header"
        return KernelImage(path, ImageKind.BZIMAGE)
    is_elf = content.startswith(b"\x7fELF")
    elf = _parse_elf(path, content) if is_elf else None
    if elf is not None:
        _check_machine(path, elf)
    flags = _multiboot1_flags(content)
    if flags is not None:
        return _multiboot1(path, elf, flags)
    if elf is None:
        _refuse(path, *_describe_other(content))
    if _has_pvh_note(elf):
        return KernelImage(path, ImageKind.PVH)
    return _refuse(path, *_describe_elf(elf, content))


def _refuse(path: Path, what: str, hint: str) -> NoReturn:
    raise KernelImageError(
        f"{path} cannot be booted: it is {what}", f"{hint}\n{STARTABLE}" if hint else STARTABLE
    )


def _read(path: Path) -> bytes:
    try:
        content = path.read_bytes()
    except FileNotFoundError as error:
        raise KernelImageError(f"{path} does not exist", "build the kernel, or correct the path") from error
    except IsADirectoryError as error:
        raise KernelImageError(f"{path} is a directory", "name the kernel file inside it") from error
    except OSError as error:
        raise KernelImageError(f"{path} cannot be read: {error.strerror}", "check its permissions") from error
    if not content:
        raise KernelImageError(f"{path} is empty", "build the kernel again: the file has 0 bytes")
    return content


def _parse_elf(path: Path, content: bytes) -> ELFFile:
    try:
        return ELFFile(BytesIO(content))
    except ELFError as error:
        raise KernelImageError(f"{path} is a damaged ELF file: {error}", "build or copy it again") from error


def _check_machine(path: Path, elf: ELFFile) -> None:
    if elf["e_machine"] in ("EM_X86_64", "EM_386"):
        return
    _refuse(
        path,
        f"an ELF file for {elf.get_machine_arch()}, and the node's processors are x86-64",
        "build it for x86-64",
    )


def _find_header(content: bytes, magic: int, reach: int, align: int) -> int | None:
    """Where a multiboot header begins whose words add up to 0, as its last one must make them."""
    words = 3 if align == MULTIBOOT1_ALIGN else 4
    for offset in range(0, min(len(content), reach) - 4 * words + 1, align):
        header = struct.unpack_from(f"<{words}I", content, offset)
        if header[0] == magic and sum(header) % (1 << 32) == 0:
            return offset
    return None


def _multiboot1_flags(content: bytes) -> int | None:
    offset = _find_header(content, MULTIBOOT1_MAGIC, MULTIBOOT1_REACH, MULTIBOOT1_ALIGN)
    return None if offset is None else int(struct.unpack_from("<I", content, offset + 4)[0])


def _multiboot1(path: Path, elf: ELFFile | None, flags: int) -> KernelImage:
    if flags & MULTIBOOT1_HAS_ADDRESSES:
        return KernelImage(path, ImageKind.MULTIBOOT)
    if elf is None:
        _refuse(
            path,
            "a multiboot 1 image that is no ELF and has no load addresses",
            "set bit 16 of the header's flags",
        )
    if elf["e_machine"] == "EM_X86_64":
        also = "; its PVH note is not looked at then" if _has_pvh_note(elf) else ""
        _refuse(
            path,
            f"a 64-bit ELF with a multiboot 1 header, and QEMU loads multiboot 1 only from 32-bit ELF{also}",
            "make it 32-bit with objcopy -O elf32-i386, or have a PVH note and no multiboot 1 header",
        )
    return KernelImage(path, ImageKind.MULTIBOOT)


def _notes(elf: ELFFile) -> Iterator[tuple[str, object]]:
    for segment in elf.iter_segments():
        if isinstance(segment, NoteSegment):
            for note in segment.iter_notes():
                yield note["n_name"], note["n_type"]


def _has_pvh_note(elf: ELFFile) -> bool:
    return ("Xen", XEN_ELFNOTE_PHYS32_ENTRY) in _notes(elf)


def _describe_elf(elf: ELFFile, content: bytes) -> tuple[str, str]:
    """What an ELF without boot header is, and the cure."""
    bits = f"{elf.elfclass}-bit ELF"
    if _find_header(content, MULTIBOOT2_MAGIC, MULTIBOOT2_REACH, MULTIBOOT2_ALIGN) is not None:
        return f"a {bits} with a multiboot 2 header only, which QEMU does not know", PVH_CURE
    if elf["e_type"] == "ET_REL":
        return f"an object file or kernel module ({bits}, relocatable)", "link it to a kernel first"
    if any(segment["p_type"] == "PT_INTERP" for segment in elf.iter_segments()):
        return f"a program for Linux ({bits} with an interpreter), not a kernel", ""
    return f"a {bits} without PVH note or multiboot header", PVH_CURE


# First bytes, what that is, and the cure; offset 56 is where arm64 and RISC-V have their magic.
_OTHERS = (
    (
        56,
        b"ARM\x64",
        "a Linux Image for 64-bit Arm, and the node's processors are x86-64",
        "build it with ARCH=x86_64",
    ),
    (
        56,
        b"RSC\x05",
        "a Linux Image for RISC-V, and the node's processors are x86-64",
        "build it with ARCH=x86_64",
    ),
    (36, b"\x18\x28\x6f\x01", "a Linux zImage for 32-bit Arm", "build it with ARCH=x86_64"),
    (0, b"\x1f\x8b", "a gzip file", "unpack it with gunzip"),
    (0, b"\x28\xb5\x2f\xfd", "a zstd file", "unpack it with unzstd"),
    (0, b"\xfd7zXZ", "an xz file", "unpack it with unxz"),
    (0, b"\x04\x22\x4d\x18", "an lz4 file", "unpack it with unlz4"),
    (0, b"!<arch>\n", "an archive (a static library or Debian package)", "name the kernel that is in it"),
    (0, b"MZ", "an EFI program", "build the kernel as a bzImage or an ELF"),
    (0, b"#!", "a script", ""),
)


def _describe_other(content: bytes) -> tuple[str, str]:
    for offset, magic, what, hint in _OTHERS:
        if content[offset : offset + len(magic)] == magic:
            return what, hint
    if _find_header(content, MULTIBOOT2_MAGIC, MULTIBOOT2_REACH, MULTIBOOT2_ALIGN) is not None:
        return (
            "a raw image with a multiboot 2 header, which QEMU does not know",
            "build it as an ELF with a PVH note",
        )
    if _is_text(content[:4096]):
        return "a text file", "name the kernel, not its source or configuration"
    return (
        "raw bytes without any boot header",
        "name the kernel as the linker made it, before objcopy -O binary",
    )


def _is_text(start: bytes) -> bool:
    return b"\0" not in start and all(byte >= 32 or byte in b"\t\n\r\f\x1b" for byte in start)
