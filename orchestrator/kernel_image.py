# SPDX-License-Identifier: Apache-2.0
"""What a kernel file is, and whether QEMU's -kernel can start it; if not, the reason in words and the cure.

QEMU's order of trying (hw/i386/x86.c, `x86_load_linux`) is followed here: Linux's setup header, multiboot 1,
ELF with a PVH note. About anything else it says "invalid kernel header", or nothing that helps.
"""

import struct
from dataclasses import dataclass
from enum import Enum
from io import BytesIO
from pathlib import Path

from elftools.common.exceptions import ELFError
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment, Segment

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


@dataclass(frozen=True, slots=True)
class _Elf:
    """What decides about an ELF file; `architecture` is for people."""

    bits: int
    machine: str
    architecture: str
    is_relocatable: bool
    has_interpreter: bool
    has_pvh_note: bool


def inspect(path: Path) -> KernelImage:
    """Reads the file. Raises KernelImageError."""
    content = _read(path)
    if content[0x202:0x206] == b"HdrS":  # Linux Documentation/x86/boot.rst, "The Real-Mode Kernel Header"
        return KernelImage(path, ImageKind.BZIMAGE)
    elf = _read_elf(path, content) if content.startswith(b"\x7fELF") else None
    if elf is not None and elf.machine not in ("EM_X86_64", "EM_386"):
        what = f"an ELF file for {elf.architecture}, and the node's processors are x86-64"
        raise _refusal(path, what, "build it for x86-64")
    flags = _multiboot1_flags(content)
    if flags is not None:
        return _multiboot1(path, elf, flags)
    if elf is None:
        raise _refusal(path, *_describe_other(content))
    if elf.has_pvh_note:
        return KernelImage(path, ImageKind.PVH)
    raise _refusal(path, *_describe_elf(elf, content))


def _refusal(path: Path, what: str, hint: str) -> KernelImageError:
    hint = f"{hint}\n{STARTABLE}" if hint else STARTABLE
    return KernelImageError(f"{path} cannot be booted: it is {what}", hint)


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


def _read_elf(path: Path, content: bytes) -> _Elf:
    try:
        elf = ELFFile(BytesIO(content))
        segments = list(elf.iter_segments())
        return _Elf(
            bits=elf.elfclass,
            machine=str(elf["e_machine"]),
            architecture=str(elf.get_machine_arch()),
            is_relocatable=elf["e_type"] == "ET_REL",
            has_interpreter=any(segment["p_type"] == "PT_INTERP" for segment in segments),
            has_pvh_note=any(_is_pvh_note(segment) for segment in segments),
        )
    except Exception as error:  # pyelftools lets many kinds through
        detail = f": {error}" if isinstance(error, ELFError) and str(error) else ""
        message = f"{path} is a damaged ELF file{detail}"
        raise KernelImageError(message, "build or copy it again") from error


def _is_pvh_note(segment: Segment) -> bool:
    if not isinstance(segment, NoteSegment):
        return False
    notes: list[tuple[object, object]] = [(note["n_name"], note["n_type"]) for note in segment.iter_notes()]
    return ("Xen", XEN_ELFNOTE_PHYS32_ENTRY) in notes


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


def _multiboot1(path: Path, elf: _Elf | None, flags: int) -> KernelImage:
    if flags & MULTIBOOT1_HAS_ADDRESSES:
        return KernelImage(path, ImageKind.MULTIBOOT)
    if elf is None:
        raise _refusal(
            path,
            "a multiboot 1 image that is no ELF and has no load addresses",
            "set bit 16 of the header's flags",
        )
    if elf.machine == "EM_X86_64":
        also = "; its PVH note is not looked at then" if elf.has_pvh_note else ""
        raise _refusal(
            path,
            f"a 64-bit ELF with a multiboot 1 header, and QEMU loads multiboot 1 only from 32-bit ELF{also}",
            "make it 32-bit with objcopy -O elf32-i386, or have a PVH note and no multiboot 1 header",
        )
    return KernelImage(path, ImageKind.MULTIBOOT)


def _describe_elf(elf: _Elf, content: bytes) -> tuple[str, str]:
    """What an ELF without boot header is, and the cure."""
    bits = f"{elf.bits}-bit ELF"
    if _find_header(content, MULTIBOOT2_MAGIC, MULTIBOOT2_REACH, MULTIBOOT2_ALIGN) is not None:
        return f"a {bits} with a multiboot 2 header only, which QEMU does not know", PVH_CURE
    if elf.is_relocatable:
        return f"an object file or kernel module ({bits}, relocatable)", "link it to a kernel first"
    if elf.has_interpreter:
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
