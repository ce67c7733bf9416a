# SPDX-License-Identifier: Apache-2.0
"""From a spec file to its plan and QEMU's command lines, for whoever wants to look and start nothing."""

from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from orchestrator.lwk import LWK
from orchestrator.plan import KernelKind, PartitionPlan, Plan, resolve
from orchestrator.qemu_command import Wiring, qemu_command
from orchestrator.run import RunFolder
from orchestrator.spec_file import load_spec
from orchestrator.template import parse_define


def load_plan(path: Path, defines: Iterable[str] = (), name: str | None = None) -> Plan:
    """The plan of a spec file; `defines` are KEY=VALUE, `name` another name for the enclave.

    Raises UsageError with all that is wrong.
    """
    plan = resolve(load_spec(path, dict(map(parse_define, defines))), path)
    return replace(plan, name=RunFolder(name).name) if name else plan


def commands_by_hand(plan: Plan, accelerator: str) -> dict[str, list[str]]:
    """QEMU's command line for each partition, with files and sockets for a person who starts it."""
    folder = RunFolder(plan.name).path

    def wiring(partition: PartitionPlan) -> Wiring:
        if partition.kind is KernelKind.LINUX:
            return Wiring.by_hand(plan, partition, folder, Path("VMLINUX"), "INITRAMFS")
        kernel = LWK if partition.kind is KernelKind.LWK else Path(partition.kernel_path)
        return Wiring.by_hand(plan, partition, folder, kernel, "")

    return {each.name: qemu_command(plan, each, wiring(each), accelerator) for each in plan.partitions}
