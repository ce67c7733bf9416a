# SPDX-License-Identifier: Apache-2.0
"""The QEMU that is installed here: where it is, how old, and what it can do."""

import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from orchestrator.errors import EnvironmentFault

BINARY = "qemu-system-x86_64"
VERSION_MIN = (7, 2)
DEVICES = (
    "ivshmem-doorbell",
    "ivshmem-plain",
    "isa-debug-exit",
    "pcie-root-port",
    "pvpanic",
    "virtio-net-pci",
)
FIRMWARE = ("qboot.rom", "bios-256k.bin")
INSTALL = "sudo apt-get install qemu-system-x86"


@dataclass(frozen=True, slots=True)
class Qemu:
    path: Path
    version: tuple[int, int]
    devices: frozenset[str]
    firmware: frozenset[str]

    @property
    def version_text(self) -> str:
        return _dotted(self.version)

    def problems(self) -> list[str]:
        """What an enclave needs and this QEMU has not, in words."""
        found = []
        if self.version < VERSION_MIN:
            found.append(f"it is version {self.version_text}, {_dotted(VERSION_MIN)} or newer is needed")
        found += [f"it has no device {name}" for name in DEVICES if name not in self.devices]
        found += [f"its firmware {name} is missing" for name in FIRMWARE if name not in self.firmware]
        return found


def find_qemu() -> Path:
    """Raises EnvironmentFault if it is not installed."""
    found = shutil.which(BINARY)
    if found is None:
        raise EnvironmentFault(f"{BINARY} is not on the PATH: QEMU is missing", INSTALL)
    return Path(found)


def inspect_qemu(path: Path) -> Qemu:
    """Asks QEMU itself. Raises EnvironmentFault if it does not answer."""
    version = re.search(r"version (\d+)\.(\d+)", _ask(path, "--version"))
    if version is None:
        raise EnvironmentFault(f"{path} does not tell its version", INSTALL)
    devices = re.findall(r'^name "([^"]+)"', _ask(path, "-device", "help"), re.MULTILINE)
    folders = [Path(line) for line in _ask(path, "-L", "help").splitlines()]
    firmware = [name for name in FIRMWARE if any((folder / name).exists() for folder in folders)]
    return Qemu(path, (int(version[1]), int(version[2])), frozenset(devices), frozenset(firmware))


def _ask(path: Path, *arguments: str) -> str:
    try:
        done = subprocess.run([path, *arguments], capture_output=True, text=True, check=True, timeout=30)
    except (OSError, subprocess.SubprocessError) as error:
        raise EnvironmentFault(f"`{path} {' '.join(arguments)}` failed: {error}", INSTALL) from error
    return done.stdout


def _dotted(version: tuple[int, int]) -> str:
    return ".".join(map(str, version))
