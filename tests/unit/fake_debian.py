# SPDX-License-Identifier: Apache-2.0
"""A Debian of a few tiny packages: an apt-get and apt-cache that know them, and nothing of any network."""

import shutil
import struct
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

RELEASE = "9.9.0-1-cloud-amd64"
FAKE_APT = Path(__file__).with_name("fake_apt.py")
VERMAGIC = f"{RELEASE} SMP preempt mod_unload modversions "

SIGNATURE = b"~Module signature appended~\n"
TYPES = b"types of what is in the module"
HEADERS = "linux-headers-9.9.0-1-common"


@dataclass(frozen=True, slots=True)
class FakeDebian:
    """`repository` holds the packages; `programs` must come first in PATH."""

    repository: Path
    programs: Path

    def calls(self) -> list[str]:
        """The commands that were given to apt so far, without options."""
        log = self.repository / "calls"
        return log.read_text().splitlines() if log.exists() else []

    def complain(self, text: str, verb: str = "") -> None:
        """From now on apt fails and says this: always, or when it is asked for `verb`."""
        (self.repository / f"complaint{verb}").write_text(text)

    def write_programs(self) -> None:
        self.programs.mkdir()
        for name in ("apt-get", "apt-cache"):
            script = self.programs / name
            script.write_text(f'#!/bin/sh\nexec {sys.executable} {FAKE_APT} {self.repository} {name} "$@"\n')
            script.chmod(0o755)

    def add(self, name: str, files: Mapping[str, bytes], depends: str = "", version: str = "1-1") -> None:
        root = self.repository / "trees" / name
        (root / "DEBIAN").mkdir(parents=True)
        control = (
            f"Package: {name}\nVersion: {version}\nArchitecture: amd64\nMaintainer: nobody\nDescription: x\n"
        )
        (root / "DEBIAN" / "control").write_text(control + (f"Depends: {depends}\n" if depends else ""))
        for path, data in files.items():
            (root / path).parent.mkdir(parents=True, exist_ok=True)
            (root / path).write_bytes(data)
            (root / path).chmod(0o755 if "/bin/" in f"/{path}" or "/sbin/" in f"/{path}" else 0o644)
        archive = self.repository / f"{name}_{version}_amd64.deb"
        subprocess.run(
            ["dpkg-deb", "--build", "--root-owner-group", "-Znone", root, archive],
            check=True,
            capture_output=True,
        )


def make(folder: Path) -> FakeDebian:
    """The packages that every host image is made of, in `folder`; takes a second."""
    debian = FakeDebian(folder / "repository", folder / "programs")
    debian.repository.mkdir(parents=True)
    debian.write_programs()
    _add_kernel(debian, folder)
    busybox = b"#!/bin/sh\necho bin/sh; echo bin/ls; echo usr/bin/nproc; echo linuxrc\n"
    debian.add(
        "libc6", {"lib/x86_64-linux-gnu/libc.so.6": b"libc", "usr/share/doc/libc6/copyright": b"words"}
    )
    debian.add("busybox-static", {"bin/busybox": busybox})
    debian.add("dropbear-bin", {"usr/sbin/dropbear": b"dropbear"}, depends="libc6")
    debian.add("coreutils", {"sbin/nproc": b"the real one"}, depends="libc6")
    return debian


def copy(original: FakeDebian, folder: Path) -> FakeDebian:
    """Another one with the same packages, so that a test may change it."""
    debian = FakeDebian(folder / "repository", folder / "programs")
    shutil.copytree(original.repository, debian.repository)
    debian.write_programs()
    return debian


def _add_kernel(debian: FakeDebian, folder: Path) -> None:
    modules = {
        "drivers/virtio/virtio_pci.ko": "virtio",
        "drivers/virtio/virtio.ko": "",
        "drivers/net/virtio_net.ko": "virtio,net_failover",
        "net/core/net_failover.ko": "",
        "drivers/misc/pvpanic.ko": "",
        "drivers/misc/pvpanic-pci.ko": "pvpanic",
    }
    drivers = ("virtio_pci", "virtio_net", "pvpanic-pci")
    root = f"lib/modules/{RELEASE}/kernel"
    files = {
        f"{root}/{path}": module(folder, depends, alias="pci:*" if Path(path).stem in drivers else "")
        for path, depends in modules.items()
    }
    files[f"boot/vmlinuz-{RELEASE}"] = bzimage(pvh_kernel(folder))
    headers = {f"usr/src/linux-headers-{RELEASE}/Makefile": f"include /usr/src/{HEADERS}/Makefile\n".encode()}
    common = {f"usr/src/{HEADERS}/Makefile": b"all:\n\techo from the common headers\n"}
    debian.add("linux-image-cloud-amd64", {}, depends=f"linux-image-{RELEASE}")
    debian.add(f"linux-image-{RELEASE}", files, depends="kmod")
    debian.add(f"linux-headers-{RELEASE}", headers, depends=HEADERS)
    debian.add(HEADERS, common)


def module(folder: Path, depends: str, vermagic: str = VERMAGIC, alias: str = "") -> bytes:
    """An object file with the information that a kernel module carries."""
    lines = [f"depends={depends}", "license=GPL", f"vermagic={vermagic}"]
    lines += [f"alias={alias}"] if alias else []
    info = "".join(f'.asciz "{line}"\n' for line in lines)
    types = f'.section .BTF, "a"\n.asciz "{TYPES.decode()}"\n'
    return _assemble(folder, f'.section .modinfo, "a"\n{info}{types}', "-c") + SIGNATURE


def pvh_kernel(folder: Path, vermagic: str = VERMAGIC) -> bytes:
    """An ELF with a PVH note, which says for which kernel its modules must be built."""
    note = '.section .note.Xen, "a", @note\n.long 4, 4, 18\n.asciz "Xen"\n.long 0x100000\n'
    insists = f'.section .rodata\n.asciz "{vermagic}"\n'
    return _assemble(folder, f".globl _start\n_start: hlt\n{note}{insists}", "-nostdlib", "-static")


def bzimage(kernel: bytes) -> bytes:
    """A bzImage as far as its boot header goes: one sector of setup, then the packed kernel and its size."""
    packed = subprocess.run(["lz4", "-l", "-c"], input=kernel, capture_output=True, check=True).stdout
    payload = packed + struct.pack("<I", len(kernel))
    head = bytearray(1024)
    head[0x1F1] = 1
    head[0x202:0x206] = b"HdrS"
    struct.pack_into("<II", head, 0x248, 0, len(payload))
    return bytes(head) + payload


def _assemble(folder: Path, source: str, *flags: str) -> bytes:
    output = folder / "assembled"
    command = ["gcc", *flags, "-x", "assembler", "-", "-o", str(output)]
    subprocess.run(command, input=source.encode(), check=True, capture_output=True)
    return output.read_bytes()


def quiet(_: str) -> None:
    """Progress that nobody looks at."""
