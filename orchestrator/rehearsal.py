# SPDX-License-Identifier: Apache-2.0
"""`enclave up --dry-run`: all that `up` checks before it starts anything, and then what it would start."""

import shutil
from collections.abc import Callable, Collection
from typing import NamedTuple

from orchestrator.accelerator import accelerator_of, foreseen_accelerator
from orchestrator.errors import EnvironmentFault
from orchestrator.ikc_layout import ensure_layout
from orchestrator.kinds import KernelKind
from orchestrator.lwk import BUILD, lwk_is_current
from orchestrator.placement import Placement
from orchestrator.plan import Plan
from orchestrator.planning import commands_by_hand, find_placement, require_partitions
from orchestrator.qemu import find_qemu, inspect_qemu
from orchestrator.room import require_room
from orchestrator.run import RunFolder

TOOLS = {"make": "sudo apt-get install make gcc binutils", "setpriv": "sudo apt-get install util-linux"}


class Rehearsal(NamedTuple):
    """`commands` are QEMU's, with files and sockets in place of descriptors, as `enclave plan` shows them."""

    commands: dict[str, list[str]]
    placement: Placement | None


def rehearse(
    plan: Plan,
    run: RunFolder,
    asked: str,
    step: Callable[[str, str], None],
    wait_gdb: Collection[str] = (),
) -> Rehearsal:
    """Raises what `up` would raise, tells each check by `step`, and neither boots nor claims anything."""
    require_partitions(plan, wait_gdb)
    asked = accelerator_of(plan, asked)
    qemu = inspect_qemu(find_qemu())
    if qemu.problems():
        raise EnvironmentFault(f"{qemu.path}: {'; '.join(qemu.problems())}", "install QEMU 7.2 or newer")
    step("check", f"{qemu.path}, version {qemu.version_text}")
    for tool, cure in TOOLS.items():
        if shutil.which(tool) is None:
            raise EnvironmentFault(f"{tool} is not installed", cure)
    require_room(plan, ensure_layout(BUILD))
    run.check_socket_paths(tuple(each.name for each in plan.partitions))
    step("check", "room for its memory, files and sockets")
    placement = find_placement(plan)
    if placement:
        step("check", "processors and memory of this computer for its placement")
    if any(each.kind is KernelKind.LWK for each in plan.partitions) and not lwk_is_current():
        step("build", "the LWK would be built: its sources have changed")
    verdict = foreseen_accelerator(asked, qemu.path)
    if verdict:
        step("accel", f"{verdict.accelerator} ({verdict.reason})")
    else:
        step("accel", "would be tried first, as `enclave doctor` does; the commands are for tcg")
    accelerator = verdict.accelerator if verdict else "tcg"
    return Rehearsal(commands_by_hand(plan, accelerator, placement, wait_gdb), placement)
