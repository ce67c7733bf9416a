# SPDX-License-Identifier: Apache-2.0
"""What the host partition boots; images.py makes it."""

from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class HostImage:
    """What QEMU starts in the host partition. `kernel` is a vmlinux with a PVH note; gdb reads it too."""

    kernel: Path
    initramfs: Path
    kernel_version: str
