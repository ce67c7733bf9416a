# SPDX-License-Identifier: Apache-2.0
"""What the host partition boots; images.py makes it."""

from pathlib import Path
from typing import NamedTuple


class HostImage(NamedTuple):
    """What QEMU starts in the host partition. `kernel` is a vmlinux with a PVH note; gdb reads it too."""

    kernel: Path
    initramfs: Path
    kernel_version: str
