# SPDX-License-Identifier: Apache-2.0
"""What a plan leaves open, and the computer that it runs on decides."""

from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

from orchestrator.host_image import HostImage
from orchestrator.host_programs import module_with_lines
from orchestrator.ikc_layout import Layout
from orchestrator.kinds import KernelKind
from orchestrator.lwk import BUILD
from orchestrator.placement import Placement
from orchestrator.plan import PartitionPlan
from orchestrator.run import RunFolder


class LaunchOptions(NamedTuple):
    """`accelerator` is "kvm" or "tcg"; `host_images` is what Linux partitions boot, by kind, `lwk` what
    each LWK is started as a copy of; `tsc_khz` is the frequency of the guests' TSC, 0 if not known; with
    `interpose` every doorbell goes by way of the supervisor; `placement` is None if no partition asked for
    one; those in `wait_gdb` stop before their first instruction."""

    accelerator: str
    layout: Layout
    host_images: Mapping[KernelKind, HostImage]
    lwk: Path
    tsc_khz: int = 0
    interpose: bool = False
    placement: Placement | None = None
    wait_gdb: tuple[str, ...] = ()

    def kernel_of(self, partition: PartitionPlan, run: RunFolder) -> Path:
        """The file that a partition boots; of an LWK a copy, because the next build replaces the original."""
        if partition.kind is KernelKind.LWK:
            return run.lwk(partition.name)
        if partition.kind is KernelKind.CUSTOM:
            return Path(partition.kernel_path)
        return self.host_images[partition.kind].kernel

    def module_of(self, partition: PartitionPlan) -> Path | None:
        """The file with the lines of ikc.ko; None if the partition does not run Linux."""
        image = self.host_images.get(partition.kind)
        return module_with_lines(BUILD, image.kernel_version) if image else None
