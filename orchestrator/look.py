# SPDX-License-Identifier: Apache-2.0
"""One look at a running enclave, in numbers that only grow: what `enclave top` makes rates of (activity.py).

Kernels count for themselves, in the region; a look adds nothing to the way of a message. Threads are named
and not measured: whoever asks reads their times in /proc.
"""

import asyncio
import time
from typing import Any

from orchestrator.enclave import Enclave
from orchestrator.keeper import Keeper
from orchestrator.partition import State
from orchestrator.status import use_of

THREADS_DEADLINE_S = 1.0  # asked once for each QEMU


async def look(enclave: Enclave) -> dict[str, Any]:
    """Times are seconds; `time_s` is of the clock by which rates are to be made, `answer_s` how long a kernel
    took to answer the supervisor's last probe, `use` what it says of memory and programs (ikc.Use),
    or None. `thread_id` is None while QEMU has not told it."""
    partitions = await asyncio.gather(*(_partition(enclave, keeper) for keeper in enclave.keepers))
    now = time.monotonic()
    return {
        "enclave": enclave.run.name,
        "run_id": f"{enclave.fabric.run_id:016x}",
        "accelerator": enclave.options.accelerator,
        "time_s": now,
        "uptime_s": round(now - enclave.started, 3),
        "partitions": partitions,
    }


async def _partition(enclave: Enclave, keeper: Keeper) -> dict[str, Any]:
    threads = await keeper.cpu_threads(THREADS_DEADLINE_S)
    partition, plan = keeper.partition, enclave.plan.partitions[keeper.partition.index]
    peers = (peer.partition for peer in enclave.keepers if peer is not keeper)
    return {
        "name": partition.name,
        "kernel": partition.kernel.value,
        "is_host": plan.is_host,
        "state": partition.state.value,
        "reason": partition.reason,
        "paused": partition.held,
        "debugger": partition.debugger,
        "incarnation": partition.incarnation,
        "pid": keeper.pid,
        "ram_bytes": plan.memory_bytes,
        "answer_s": keeper.answer_s if partition.state is State.READY else None,
        "use": use_of(enclave, partition),
        "cpus": [
            {"cpu": cpu.node_cpu, "local_cpu": cpu.local_cpu, "thread_id": threads.get(cpu.at)}
            for cpu in plan.cpus
        ],
        "links": {peer.name: _link(enclave, partition.index, peer.index) for peer in peers},
    }


def _link(enclave: Enclave, from_: int, to: int) -> dict[str, Any]:
    region = enclave.fabric.region
    own, adopted = region.lives(from_, to)
    return {
        "state": region.link_state(from_, to),
        "generation": own,
        "peer_generation": adopted,
        **region.traffic(from_, to)._asdict(),
    }
