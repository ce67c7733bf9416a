# SPDX-License-Identifier: Apache-2.0
"""The kernel of the host partition: Debian's cloud kernel, unpacked so that QEMU starts it directly, and the
headers of the very same version, moved so that `make -C HEADERS M=...` builds modules for it without root.
"""

import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from orchestrator import debian
from orchestrator.errors import EnvironmentFault

_METAPACKAGE = "linux-image-cloud-amd64"
_SELECTION = "kernel"

# Linux Documentation/x86/boot.rst, "The Real-Mode Kernel Header"
_SETUP_SECTORS = 0x1F1
_HEADER_MAGIC = 0x202
_PAYLOAD = 0x248
_SECTOR_BYTES = 512
# lz4's "legacy frame"; the kernel's build appends the unpacked size (scripts/Makefile.lib, size_append).
_LZ4_MAGIC = b"\x02\x21\x4c\x18"
_SIZE_BYTES = 4

_ANEW = "`make clean` and another `enclave up` fetch and unpack it anew"


class HostKernel(NamedTuple):
    """`release` is what uname -r says; `vmlinux` is an ELF with a PVH note, which gdb reads too (it has no
    debug information); `modules` is the folder that its own modules are under, None if it has none.
    """

    release: str
    package_version: str
    vmlinux: Path
    headers: Path
    modules: Path | None


def ensure_host_kernel(build: Path, progress: debian.Progress) -> HostKernel:
    """The host's kernel under `build`, downloaded and unpacked if it is not there yet.

    Raises EnvironmentFault if apt cannot get it.
    """
    pool = debian.Pool(build / "debian")
    packages = debian.selected(pool, _SELECTION, lambda: _select(pool), progress)
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
    """The image; and of exactly its version the headers, and what they depend on of Linux's own packages."""
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
        require_pvh(tree / "vmlinux")
        _relocate_headers(tree / "usr" / "src" / f"linux-headers-{release}")
        os.rename(tree, root)


def _relocate_headers(headers: Path) -> None:
    """Replaces the one absolute path among the headers; the links between the packages are relative."""
    makefile = headers / "Makefile"
    here = "$(dir $(lastword $(MAKEFILE_LIST)))"
    makefile.write_text(makefile.read_text().replace("include /usr/src/", f"include {here}../"))


def extract_vmlinux(image: bytes) -> bytes:
    """The ELF kernel inside a bzImage: it starts faster than the bzImage, which would unpack it in the guest.

    Raises EnvironmentFault if the image is not one as Debian 12 makes it (LZ4).
    """
    if len(image) < _PAYLOAD + 8 or image[_HEADER_MAGIC : _HEADER_MAGIC + 4] != b"HdrS":
        raise EnvironmentFault("Debian's kernel image is no bzImage: it has no boot header", _ANEW)
    offset, length = struct.unpack_from("<II", image, _PAYLOAD)
    start = ((image[_SETUP_SECTORS] or 4) + 1) * _SECTOR_BYTES + offset
    payload = image[start : start + length]
    if payload[:4] != _LZ4_MAGIC:
        raise EnvironmentFault(
            f"Debian's kernel image is not packed by LZ4: its payload begins {payload[:4]!r}", _ANEW
        )
    (size,) = struct.unpack("<I", payload[-_SIZE_BYTES:])
    vmlinux = _unpack_lz4(payload[:-_SIZE_BYTES])
    if len(vmlinux) != size:
        raise EnvironmentFault(
            f"Debian's kernel image unpacks to {len(vmlinux)} bytes where it says {size}", _ANEW
        )
    return vmlinux


def _unpack_lz4(frame: bytes) -> bytes:
    try:
        done = subprocess.run(["lz4", "-dc"], input=frame, capture_output=True, check=False)
    except FileNotFoundError:
        raise EnvironmentFault("lz4 is not on this computer", "sudo apt-get install lz4") from None
    if done.returncode:
        raise EnvironmentFault(
            f"lz4 cannot unpack Debian's kernel image: {done.stderr.decode().strip()}", _ANEW
        )
    return done.stdout


def require_pvh(vmlinux: Path) -> None:
    # Imported here: it takes longer than to find out that everything is built.
    from orchestrator import kernel_image

    try:
        kind = kernel_image.inspect(vmlinux).kind
    except kernel_image.KernelImageError as error:
        raise EnvironmentFault(f"{vmlinux} cannot be started: {error.message}", _ANEW) from error
    if kind is not kernel_image.ImageKind.PVH:
        raise EnvironmentFault(f"{vmlinux} has no PVH entry point: it is a {kind.value}", _ANEW)
