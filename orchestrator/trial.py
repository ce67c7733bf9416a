# SPDX-License-Identifier: Apache-2.0
"""What came of trying an accelerator (trial_run.py)."""

from typing import NamedTuple


class Trial(NamedTuple):
    """`finding` says in words what happened; `seconds` is from the start of QEMU to the second verdict."""

    accelerator: str
    passed: bool
    seconds: float
    finding: str
