# SPDX-License-Identifier: Apache-2.0
"""How the fabric calls the pieces of the partitions' memory."""

from orchestrator.plan import PartitionPlan, Plan
from orchestrator.qemu_command import shares_memory


def chunk_name(partition: PartitionPlan, index: int) -> str:
    return f"{partition.name}-{index}"


def chunk_names(partition: PartitionPlan) -> list[str]:
    """Of the partition's memory; none if its memory is its own."""
    if not shares_memory(partition):
        return []
    return [chunk_name(partition, index) for index in range(len(partition.memory))]


def window_names(plan: Plan, partition: PartitionPlan) -> list[str]:
    """Of the chunks that the partition sees of others."""
    return [chunk_name(plan.partitions[each.partition], each.chunk) for each in partition.windows]
