# SPDX-License-Identifier: Apache-2.0
"""Crash bundles in a run folder: crash/NUMBER-PARTITION/, complete or not there at all.

crash.json             the story for programs: what, when, why, where; every CPU; links; what was left out
consoles.log           the serial consoles of all partitions, merged on one clock
kernel-<partition>.log kernel logs out of shared memory
backtraces.txt         every CPU of the partition: functions, files, lines
registers.txt          every CPU of the partition, in QEMU's words
links.txt              links and rings of the partition, both ends; messages that wait in them
plan.json command.txt qemu.stderr events.log    as they were
"""

import json
import shutil
from pathlib import Path
from typing import Any

from orchestrator.errors import EnclaveError
from orchestrator.run import RunFolder

KEPT = 10  # bundles of one run; older ones go
STORY = "crash.json"


def bundles_of(run: RunFolder) -> list[Path]:
    """The complete ones, the oldest first."""
    found = [(number, path) for path in run.crashes.glob("*-*") if (number := _number(path))]
    return [path for _, path in sorted(found)]


def _number(path: Path) -> int:
    """0 for what is none, or not yet one."""
    number = path.name.partition("-")[0]
    return int(number) if number.isascii() and number.isdecimal() else 0


def load_story(bundle: Path) -> dict[str, Any]:
    """What crash_writer.py wrote. Raises EnclaveError if it cannot be read."""
    try:
        story: dict[str, Any] = json.loads((bundle / STORY).read_text())
    except (OSError, ValueError) as error:
        raise EnclaveError(
            f"{bundle} is no crash bundle that can be read: {error}", f"look at the files in {bundle}"
        ) from error
    return story


def draft_of(bundle: Path) -> Path:
    """Where a bundle is made; no name that `bundles_of` finds."""
    return bundle.with_name(f".{bundle.name}")


def forget_old(run: RunFolder) -> None:
    """Has at most KEPT bundles stay."""
    for bundle in bundles_of(run)[:-KEPT]:
        # It disappears at once: nobody finds half of one.
        old = draft_of(bundle)
        bundle.rename(old)
        shutil.rmtree(old)
