# SPDX-License-Identifier: Apache-2.0
"""The state of an enclave as JSON: what `enclave status --json` prints, and what tests read."""

import os
import time
from datetime import UTC, datetime
from typing import Any

from orchestrator.enclave import Enclave
from orchestrator.keeper import Keeper
from orchestrator.partition import Partition, State
from orchestrator.placement import as_json as placed_as_json


def describe(enclave: Enclave) -> dict[str, Any]:
    """Times are seconds; `ready_s` is that from `up` to the first time when all partitions were READY."""
    now = time.monotonic()
    placement = enclave.options.placement
    return {
        "enclave": enclave.run.name,
        "spec": str(enclave.plan.spec_path),
        "run_folder": str(enclave.run.path),
        "accelerator": enclave.options.accelerator,
        "interposed": enclave.options.interpose,
        "run_id": f"{enclave.fabric.run_id:016x}",
        "supervisor_pid": os.getpid(),
        "started_at": datetime.fromtimestamp(time.time() - (now - enclave.started), UTC).isoformat(),
        "uptime_s": round(now - enclave.started, 3),
        "ready_s": _rounded(enclave.ready_s),
        "other_processors": list(placement.others) if placement else [],
        "partitions": [_partition(enclave, keeper, now) for keeper in enclave.keepers],
        "ssh": _ssh(enclave, enclave.keepers[enclave.plan.host.index]),
    }


def _partition(enclave: Enclave, keeper: Keeper, now: float) -> dict[str, Any]:
    partition = keeper.partition
    plan = enclave.plan.partitions[partition.index]
    status = enclave.fabric.region.status(partition.index)
    images = enclave.options.host_images
    # The page of an earlier life says nothing of this one.
    said = partition.speaks_ikc and status.incarnation == partition.incarnation
    return {
        "name": partition.name,
        "index": partition.index,
        "kernel": partition.kernel,
        "is_host": plan.is_host,
        "kernel_file": str(enclave.options.kernel_of(plan, enclave.run)),
        "state": partition.state.value,
        "reason": partition.reason,
        "paused": partition.held,
        "debugger": partition.debugger,
        "debugger_pid": keeper.debugger.pid,
        "gdb_socket": str(enclave.run.gdb_socket(partition.name)),
        "kernel_release": images[plan.kind].kernel_version if plan.kind in images else None,
        "incarnation": partition.incarnation,
        "pid": keeper.pid,
        "cpus": [cpu.node_cpu for cpu in plan.cpus],
        "numa": [
            {"node": numa.node_id, "kind": numa.kind.value, "size_bytes": numa.size_bytes}
            for numa in plan.numa
            if numa.size_bytes
        ],
        "placement": placed_as_json(plan, enclave.options.placement),
        "links": {
            peer.partition.name: enclave.fabric.region.link_state(partition.index, peer.partition.index)
            for peer in enclave.keepers
            if peer is not keeper
        },
        "ready_s": _rounded(partition.ready_s),
        "uptime_s": round(now - partition.began, 3) if partition.alive else None,
        "heartbeat": status.heartbeat if said else 0,
        "cpus_online": status.cpus_online if said else None,
        "kernel_ready_s": round(status.ready_ns / 1e9, 6) if said and status.ready_ns else None,
        "use": use_of(enclave, partition),
        "ssh": _ssh(enclave, keeper),
    }


def use_of(enclave: Enclave, partition: Partition) -> dict[str, int] | None:
    """What a kernel that is READY says of memory and programs (ikc.Use). None: nothing in this life."""
    status = enclave.fabric.region.status(partition.index)
    if partition.state is not State.READY or status.incarnation != partition.incarnation or not status.use:
        return None
    return status.use._asdict()


def _ssh(enclave: Enclave, keeper: Keeper) -> dict[str, Any] | None:
    """None until QEMU has told where it listens, and where no Linux runs. The port outlives restarts."""
    if keeper.ssh_port is None:
        return None
    return {
        "host": "127.0.0.1",
        "port": keeper.ssh_port,
        "user": "root",
        "key": str(enclave.run.key),
        "known_hosts": str(enclave.run.known_hosts),
    }


def _rounded(seconds: float | None) -> float | None:
    return None if seconds is None else round(seconds, 6)
