# SPDX-License-Identifier: Apache-2.0
"""Looks at made-up enclaves (orchestrator/look.py), and samples of them."""

from typing import Any

from orchestrator.activity import RATES, Sample
from orchestrator.process_times import ProcessUse, ThreadTimes


def partition(name: str, index: int, peers: list[str], count: int = 0, **changes: Any) -> dict[str, Any]:
    """One with two CPUs, of which each link has counted `count` of everything."""
    pid = 100 * (index + 1)
    link = {"state": "RUN", "generation": 0x10002, "peer_generation": 0x10001}
    return {
        "name": name,
        "kernel": "lwk" if index else "linux",
        "is_host": index == 0,
        "state": "READY",
        "reason": "",
        "paused": False,
        "debugger": None,
        "incarnation": 1,
        "pid": pid,
        "ram_bytes": 256 << 20,
        "answer_s": 0.004,
        "use": use(count) if index else None,
        "cpus": [
            {"cpu": 2 * index + at, "local_cpu": at, "thread_id": pid + 1 + at} for at in range(2)
        ],
        "links": {peer: link | dict.fromkeys(RATES, count) for peer in peers},
    } | changes  # fmt: skip


def use(count: int) -> dict[str, int]:
    """What an LWK with one process says, after `count` offloads of 2 ms each."""
    return {
        "memory_bytes": 240 << 20,
        "free_bytes": 200 << 20,
        "processes": 1,
        "threads": 3,
        "offloads": count,
        "offload_ns": 2_000_000 * count,
    }


def enclave(lwks: int, time_s: float = 0.0, count: int = 0) -> dict[str, Any]:
    names = ["host", *(f"lwk{index}" for index in range(lwks))]
    return {
        "enclave": "made",
        "run_id": "1",
        "accelerator": "tcg",
        "time_s": time_s,
        "uptime_s": time_s,
        "partitions": [
            partition(name, index, [peer for peer in names if peer != name], count)
            for index, name in enumerate(names)
        ],
    }


def sample(
    enclave: dict[str, Any], ran_s: float = 0.0, waited_s: float = 0.0, runnable: bool = False
) -> Sample:
    """Each thread has used that much, and each process twice as much and a little more."""
    partitions = [each for each in enclave["partitions"] if each["pid"]]
    times = ThreadTimes(ran_s, waited_s, runnable, 1)
    threads = {cpu["thread_id"]: times for each in partitions for cpu in each["cpus"]}
    processes = {each["pid"]: ProcessUse(2.1 * ran_s, 300 << 20) for each in partitions}
    return Sample(
        enclave, enclave["time_s"], threads, processes, {"host": {"free_bytes": 1 << 20, "processes": 40}}
    )
