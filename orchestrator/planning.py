# SPDX-License-Identifier: Apache-2.0
"""From a spec file to its plan and QEMU's command lines, for whoever wants to look and start nothing."""

from collections.abc import Iterable
from pathlib import Path

from orchestrator.kinds import KernelKind
from orchestrator.lwk import BUILD, LWK
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.plan_cache import PlanCache
from orchestrator.qemu_command import Wiring, qemu_command
from orchestrator.run import RunFolder

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


def _renamed(plan: Plan, name: str | None) -> Plan:
    return plan._replace(name=RunFolder(name).name) if name else plan


def commands_by_hand(plan: Plan, accelerator: str) -> dict[str, list[str]]:
    """QEMU's command line for each partition, with files and sockets for a person who starts it."""
    folder = RunFolder(plan.name).path

    def wiring(partition: PartitionPlan) -> Wiring:
        if partition.kind is KernelKind.LINUX:
            return Wiring.by_hand(plan, partition, folder, Path("VMLINUX"), "INITRAMFS")
        kernel = LWK if partition.kind is KernelKind.LWK else Path(partition.kernel_path)
        return Wiring.by_hand(plan, partition, folder, kernel, "")

    return {each.name: qemu_command(plan, each, wiring(each), accelerator) for each in plan.partitions}
