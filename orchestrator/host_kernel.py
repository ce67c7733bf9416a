# SPDX-License-Identifier: Apache-2.0
"""The kernel of the host partition: Debian's cloud kernel, unpacked so that QEMU starts it directly, and the headers
of the very same version, moved so that `make -C HEADERS M=...` builds modules for it without root.
"""

import io
import os
import re
import shutil
import struct
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import lz4.block
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from orchestrator import debian
from orchestrator.errors import EnvironmentFault

_METAPACKAGE = "linux-image-cloud-amd64"
_SELECTION = "kernel"

# Linux Documentation/arch/x86/boot.rst, "The Real-Mode Kernel Header"
_SETUP_SECTORS = 0x1F1
_HEADER_MAGIC = 0x202
_PAYLOAD = 0x248
_SECTOR_SIZE = 512
# lz4's "legacy frame", in blocks of at most 8 MiB; the kernel's build appends the unpacked size to it.
_LZ4_MAGIC = b"\x02\x21\x4c\x18"
_LZ4_BLOCK_SIZE = 8 << 20
# include/xen/interface/elfnote.h: XEN_ELFNOTE_PHYS32_ENTRY, the 32-bit entry point for PVH
_PVH_NOTE = ("Xen", 18)
_SIGNATURE_MAGIC = b"~Module signature appended~\n"


@dataclass(frozen=True, slots=True)
class HostKernel:
    """`release` is what uname -r says; `vmlinux` an ELF with a PVH note, also for gdb (it has no debug info)."""

    release: str
    package_version: str
    vmlinux: Path
    headers: Path
    modules: Path


def ensure_host_kernel(build: Path, progress: debian.Progress) -> HostKernel:
    """The host's kernel under `build`, downloaded and unpacked if it is not there yet.

    Raises EnvironmentFault if apt cannot get it.
    """
    pool = debian.Pool(build / "debian")
    packages = debian.read_selection(pool, _SELECTION)
    if packages is None:
        progress("choosing the host kernel")
        packages = _select(pool)
        debian.write_selection(pool, _SELECTION, packages)
    image = next(package for package in packages if package.name.startswith("linux-image-"))
    release = image.name.removeprefix("linux-image-")
    root = build / "kernel" / f"{release}_{image.version}"
    if not root.is_dir():
        debian.download(pool, packages, progress)
        progress(f"unpacking Linux {release}")
        _build(pool, packages, release, root)
    return HostKernel(
        release=release,
        package_version=image.version,
        vmlinux=root / "vmlinux",
        headers=root / "usr" / "src" / f"linux-headers-{release}",
        modules=root / "lib" / "modules" / release / "kernel",
    )


def _select(pool: debian.Pool) -> tuple[debian.Package, ...]:
    """The image, and of exactly its version the headers and what they depend on that is built with the kernel."""
    metapackage = debian.show(pool, _METAPACKAGE)
    version = metapackage["Version"]
    image = metapackage["Depends"].split()[0]
    headers = image.replace("linux-image-", "linux-headers-")
    depends = re.findall(r"linux-[\w.-]+", debian.show(pool, headers)["Depends"])
    return debian.select_exactly(pool, [f"{name}={version}" for name in (image, headers, *depends)])


def _build(pool: debian.Pool, packages: Sequence[debian.Package], release: str, root: Path) -> None:
    root.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=root.parent) as scratch:
        tree = Path(scratch) / "tree"
        for package in packages:
            debian.unpack_into(pool, package, tree)
        compressed = (tree / "boot" / f"vmlinuz-{release}").read_bytes()
        (tree / "vmlinux").write_bytes(extract_vmlinux(compressed))
        _relocate_headers(tree / "usr" / "src" / f"linux-headers-{release}")
        os.rename(tree, root)


def _relocate_headers(headers: Path) -> None:
    """Replaces the absolute path in the headers' Makefile; all other links between the packages are relative."""
    makefile = headers / "Makefile"
    text = makefile.read_text()
    here = "$(dir $(lastword $(MAKEFILE_LIST)))"
    makefile.write_text(re.sub(r"^include /usr/src/", f"include {here}../", text, flags=re.MULTILINE))
    shutil.rmtree(headers.parents[2] / "usr" / "share" / "doc", ignore_errors=True)


def extract_vmlinux(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage: it starts faster than the bzImage, which would unpack it in the guest.

    Raises EnvironmentFault if the image is not one that Debian 12 makes (LZ4, with a PVH entry point).
    """
    if len(image) < _PAYLOAD + 8 or image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != b"HdrS":
        raise EnvironmentFault("Debian's kernel image is no bzImage: it has no boot header")
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    start = ((image[_SETUP_SECTORS] or 4) + 1) * _SECTOR_SIZE + offset
    payload = image[start : start + length]
    vmlinux = _decompress(payload)
    if not _has_pvh_note(vmlinux):
        raise EnvironmentFault("Debian's kernel has no PVH entry point (CONFIG_PVH): QEMU cannot start its vmlinux")
    return vmlinux


def _decompress(payload: bytes) -> bytes:
    if payload[:4] != _LZ4_MAGIC:
        raise EnvironmentFault(f"Debian's kernel image is not compressed by LZ4: its payload starts {payload[:4]!r}")
    (size,) = struct.unpack("<I", payload[-4:])
    blocks: list[bytes] = []
    position = 4
    while position < len(payload) - 4:
        (length,) = struct.unpack_from("<I", payload, position)
        block = payload[position + 4 : position + 4 + length]
        blocks.append(lz4.block.decompress(block, uncompressed_size=_LZ4_BLOCK_SIZE))
        position += 4 + length
    unpacked = b"".join(blocks)
    if len(unpacked) != size:
        raise EnvironmentFault(f"Debian's kernel image unpacks to {len(unpacked)} bytes where it says {size}")
    return unpacked


def _has_pvh_note(vmlinux: bytes) -> bool:
    segments = ELFFile(io.BytesIO(vmlinux)).iter_segments("PT_NOTE")
    notes = (note for segment in segments if isinstance(segment, NoteSegment) for note in segment.iter_notes())
    return any((note["n_name"], _note_type(note["n_type"])) == _PVH_NOTE for note in notes)


def _note_type(value: int | str) -> int:
    """pyelftools gives names to the types it knows, whoever the note's owner is."""
    return value if isinstance(value, int) else -1


def modules_in_load_order(kernel: HostKernel, wanted: Sequence[str]) -> dict[str, bytes]:
    """The modules `wanted` and those that they depend on, by name, each after its dependencies.

    Their signatures are left out: to check one takes milliseconds under TCG, and Debian's kernel does not insist.
    """
    files = {module_name(path.name): path for path in kernel.modules.rglob("*.ko")}
    ordered: dict[str, bytes] = {}

    def visit(name: str) -> None:
        if name in ordered:
            return
        module = without_signature(files[name].read_bytes())
        for dependency in module_dependencies(module):
            visit(dependency)
        ordered[name] = module

    for name in wanted:
        visit(name)
    return ordered


def module_name(path: str) -> str:
    """The kernel's name for the module in a file."""
    return path.rpartition("/")[2].removesuffix(".ko").replace("-", "_")


def module_dependencies(module: bytes) -> list[str]:
    """The modules that must be loaded before this one."""
    return [name for name in _module_info(module, "depends").split(",") if name]


def module_vermagic(module: bytes) -> str:
    """The kernel that a module was built for, as the kernel compares it."""
    return _module_info(module, "vermagic")


def _module_info(module: bytes, key: str) -> str:
    section = ELFFile(io.BytesIO(module)).get_section_by_name(".modinfo")
    lines = section.data().decode().split("\0") if section else []
    return next((line.partition("=")[2] for line in lines if line.startswith(f"{key}=")), "")


def without_signature(module: bytes) -> bytes:
    """scripts/sign-file.c appends: signature, 12 bytes that end with its length (big-endian), a magic line."""
    if not module.endswith(_SIGNATURE_MAGIC):
        return module
    end = len(module) - len(_SIGNATURE_MAGIC)
    (length,) = struct.unpack(">I", module[end - 4 : end])
    return module[: end - 12 - length]
