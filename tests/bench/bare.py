# SPDX-License-Identifier: Apache-2.0
"""The baselines: the same kernels started by the best QEMU command that one would write by hand."""

import os
import selectors
import signal
import subprocess
import time
from collections.abc import Sequence
from pathlib import Path

from orchestrator.qemu_command import accelerator_args

DEADLINE_S = 120.0
# A plain machine of many CPUs takes minutes under TCG.
PATIENCE_S = 900.0
# Printed by `yes`: an init that ends would take its words with it.
MARKER = "first-program-runs"
_FIRST_PROGRAM = f"{MARKER}\r\n".encode()


def seconds_until(command: Sequence[str], marker: bytes, deadline_s: float = DEADLINE_S) -> float:
    """From starting the process until `marker` stands in what it prints; then it is killed, with its own.

    Raises RuntimeError with the end of its output if it ends or the deadline passes first.
    """
    seen = bytearray()
    begun = time.monotonic()
    with (
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        ) as process,
        selectors.DefaultSelector() as selector,
    ):
        assert process.stdout is not None
        selector.register(process.stdout, selectors.EVENT_READ)
        try:
            while marker not in seen:
                left = begun + deadline_s - time.monotonic()
                piece = os.read(process.stdout.fileno(), 1 << 16) if selector.select(left) else b""
                if not piece:
                    raise RuntimeError(
                        f"{command[0]} never printed {marker!r}; it ended with {bytes(seen[-800:])!r}"
                    )
                seen += piece
            return time.monotonic() - begun
        finally:
            os.killpg(process.pid, signal.SIGKILL)


def qemu(accelerator: str, cpus: int, memory: str) -> list[str]:
    return [
        *("qemu-system-x86_64", "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-machine", "q35", *accelerator_args(accelerator)),
        *("-smp", f"{cpus},maxcpus={max(cpus, 2)}", "-m", memory, "-serial", "stdio"),
    ]


def linux_to_init(accelerator: str, kernel: Path, initramfs: Path, cpus: int, append: str) -> float:
    """Seconds until the first program of the initramfs runs."""
    return seconds_until(
        qemu(accelerator, cpus, "512M") + _to_init(kernel, initramfs, append), _FIRST_PROGRAM
    )


def plain_linux_to_init(accelerator: str, kernel: Path, initramfs: Path, cpus: int) -> float:
    """The same by a command that knows nothing of this project: what QEMU and Linux do by themselves."""
    command = ["qemu-system-x86_64", "-nographic", "-nodefaults", "-serial", "stdio", "-no-reboot"]
    command += ["-machine", "q35", "-accel", accelerator, "-cpu", "max", "-smp", str(cpus), "-m", "512M"]
    return seconds_until(command + _to_init(kernel, initramfs, "quiet"), _FIRST_PROGRAM, PATIENCE_S)


def _to_init(kernel: Path, initramfs: Path, append: str) -> list[str]:
    append = f"{append} console=ttyS0 rdinit=/bin/yes -- {MARKER}"
    return ["-kernel", str(kernel), "-initrd", str(initramfs), "-append", append]


def lwk_to_first_line(accelerator: str, kernel: Path, cpus: int) -> float:
    """Seconds until the LWK, without any device to drive, prints its first line."""
    command = [*qemu(accelerator, cpus, "256M"), "-bios", "qboot.rom", "-kernel", str(kernel)]
    return seconds_until(command, b"\n")
