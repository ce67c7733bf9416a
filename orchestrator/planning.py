# SPDX-License-Identifier: Apache-2.0
"""From a spec file to its plan and QEMU's command lines, for whoever wants to look and start nothing."""

import os
from collections.abc import Collection, Iterable
from contextlib import suppress
from pathlib import Path

from orchestrator.accelerator import accelerator_of
from orchestrator.computer import read_computer
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.kinds import KernelKind
from orchestrator.lwk import BUILD, LWK
from orchestrator.placement import Placement, place, wants_placement, wish_auto, wish_nothing
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.plan_cache import PlanCache
from orchestrator.qemu_command import Wiring, qemu_command
from orchestrator.run import RunFolder, list_runs

PLANS = BUILD / "plans"


def load_plan(path: Path, defines: Iterable[str] = (), name: str | None = None) -> Plan:
    """The plan of a spec file; `defines` are KEY=VALUE, `name` another name for the enclave.

    Raises UsageError with all that is wrong.
    """
    # Imported here: with what they import in turn, they take longer than all else that `up` does by itself.
    from orchestrator.resolve import resolve
    from orchestrator.spec_file import load_spec
    from orchestrator.template import parse_define

    plan = resolve(load_spec(path, dict(map(parse_define, defines))), path)
    return _renamed(plan, name)


def current_plan(path: Path, defines: Iterable[str] = (), name: str | None = None) -> Plan:
    """As `load_plan`; of a spec that has not changed since the last call, the plan of then."""
    defines = tuple(defines)
    try:
        cache = PlanCache(PLANS, path, defines)
    except OSError:
        return load_plan(path, defines, name)  # which says what is wrong with the file
    plan = cache.recall()
    if plan is None:
        plan = load_plan(path, defines)
        cache.keep(plan)
    return _renamed(plan, name)


def with_places(plan: Plan, asked: str | None) -> Plan:
    """`asked` is "auto": every partition is placed that does not say itself how; "none": none is; or None."""
    if asked is None:
        return plan
    return wish_auto(plan) if asked == "auto" else wish_nothing(plan)


def _renamed(plan: Plan, name: str | None) -> Plan:
    return plan._replace(name=RunFolder(name).name) if name else plan


def find_placement(plan: Plan) -> Placement | None:
    """Where this computer is to run it; None if nobody asks for that. Raises PlacementError."""
    if not wants_placement(plan):
        return None
    return place(plan, read_computer(os.sched_getaffinity(0), _pinned_by_others(plan.name)))


def _pinned_by_others(name: str) -> set[int]:
    """The processors that CPUs of our other enclaves have for themselves, as of now."""
    from orchestrator.client import Client

    pinned: set[int] = set()
    for run in list_runs():
        if run.name != name and run.is_running():
            with suppress(EnclaveError):  # it ends, or only begins
                partitions = Client(run).status()["partitions"]
                placements = [partition.get("placement") for partition in partitions]
                pinned.update(*(each["processors"].values() for each in placements if each))
    return pinned


def require_partitions(plan: Plan, names: Collection[str]) -> None:
    """Raises UsageError with the names that there are."""
    have = [partition.name for partition in plan.partitions]
    for name in names:
        if name not in have:
            raise UsageError(f"enclave {plan.name} has no partition {name!r}", f"it has: {', '.join(have)}")


def commands_by_hand(
    plan: Plan, accelerator: str, placement: Placement | None = None, wait_gdb: Collection[str] = ()
) -> dict[str, list[str]]:
    """QEMU's command line for each partition, with files and sockets for a person who starts it.

    Those in `wait_gdb` stop before their first instruction.
    """
    accelerator = accelerator_of(plan, accelerator)
    folder = RunFolder(plan.name).path

    def wiring(partition: PartitionPlan) -> Wiring:
        if partition.kind.runs_linux:
            return Wiring.by_hand(plan, partition, folder, Path("VMLINUX"), "INITRAMFS")
        kernel = LWK if partition.kind is KernelKind.LWK else Path(partition.kernel_path)
        return Wiring.by_hand(plan, partition, folder, kernel, "")

    return {
        each.name: qemu_command(
            plan, each, wiring(each), accelerator, placement=placement, wait_gdb=each.name in wait_gdb
        )
        for each in plan.partitions
    }
