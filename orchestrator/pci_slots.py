# SPDX-License-Identifier: Apache-2.0
"""Which slot of PCI bus 0 each device of ours sits in; q35 itself has 0 and 31.

The region tells kernels where windows are by device and function, so these are fixed and part of the plan.
"""

FABRIC = 2
NETWORK = 3
PANIC = 4
HIGH_BARS = 5  # a root port with nothing behind it; see qemu_command.py
FIRST_WINDOW = 8
LAST_WINDOW = 30
FUNCTIONS = 8

WINDOWS_MAX = (LAST_WINDOW - FIRST_WINDOW + 1) * FUNCTIONS


def window(index: int) -> tuple[int, int]:
    """Slot and function of the host's window number `index`."""
    slot, function = divmod(index, FUNCTIONS)
    return FIRST_WINDOW + slot, function
