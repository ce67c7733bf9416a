# SPDX-License-Identifier: Apache-2.0
"""How long each step of a partition's life may take; the one place where patience is measured out.

Generous by an order of magnitude against what was measured, because a computer may be busy: a deadline
is there to end a wait that would be endless, not to judge speed.
"""

from typing import NamedTuple

PROBE_EVERY_S = 2.0


class Deadlines(NamedTuple):
    """`launch_s`: QEMU answers its monitor. `ready_s`: the kernel says READY. `answer_s`: a kernel answers
    its mailbox. `shutdown_s`: a kernel that was asked to powers off. `monitor_s`: QEMU obeys its monitor."""

    launch_s: float
    ready_s: float
    answer_s: float
    shutdown_s: float
    monitor_s: float


def patience(accelerator: str, cpus: int) -> Deadlines:
    """For an enclave with so many virtual CPUs in all, which under TCG take turns on the real ones.

    Linux with 64 CPUs was seen to need 10 s to its init under TCG, and QEMU with 255 CPUs 9 s to the kernel.
    """
    if accelerator == "kvm":
        return Deadlines(launch_s=10, ready_s=20 + cpus / 4, answer_s=3, shutdown_s=5, monitor_s=5)
    return Deadlines(launch_s=15 + cpus / 10, ready_s=30 + cpus / 2, answer_s=5, shutdown_s=8, monitor_s=5)
