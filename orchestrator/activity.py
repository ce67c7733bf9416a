# SPDX-License-Identifier: Apache-2.0
"""Two looks at an enclave become what happened between them: rates and shares. Pure.

What cannot be known of an interval is None: a QEMU that was started in it has no share yet, and a counter
that ran backwards, because somebody scribbled on it, no rate.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from orchestrator.process_times import ProcessUse, ThreadTimes

RATES = (
    *("sent", "received", "sent_bytes", "received_bytes"),
    *("full", "doorbells", "interrupts", "resets", "refused"),
)
HALTED, RUNNING, PAUSED, UNKNOWN = "halted", "running", "paused", "-"


class Sample(NamedTuple):
    """`enclave` is a look (look.py). `time_s` is when /proc was read, `threads` are by thread id, `processes`
    by process id, `guests` what Linux says of itself by partition (linux_watch.py)."""

    enclave: dict[str, Any]
    time_s: float
    threads: Mapping[int, ThreadTimes]
    processes: Mapping[int, ProcessUse]
    guests: Mapping[str, dict[str, float]]


class CpuActivity(NamedTuple):
    """Shares are of one processor of this computer, 0 to 1: `run` on it, `wait` ready but without one, and
    `halt` neither. `state` is that of the moment of the look."""

    cpu: int
    local_cpu: int
    thread_id: int | None
    state: str
    processor: int | None
    run: float | None
    wait: float | None
    halt: float | None


class LinkActivity(NamedTuple):
    """One end of a link; generations as incarnation and count, 0.0 for none. `rates` are per second,
    `counters` since the run began (RATES)."""

    peer: str
    state: str
    generation: str
    peer_generation: str
    rates: dict[str, float | None]
    counters: dict[str, int]


class PartitionActivity(NamedTuple):
    """`run` and `wait` are the sums over its CPUs, `overhead` is what its QEMU used beside them.
    `memory_bytes`, `free_bytes`, `processes` and `threads` are what its kernel says, `answer_s` is how long
    that took to answer the last probe. `offloads` are system calls of its programs that proxies answered, per
    second, and `offload_s` is what one took in the mean."""

    name: str
    kernel: str
    state: str
    reason: str
    paused: bool
    debugger: str | None
    incarnation: int
    pid: int | None
    run: float | None
    wait: float | None
    overhead: float | None
    ram_bytes: int
    resident_bytes: int | None
    memory_bytes: int | None
    free_bytes: int | None
    processes: int | None
    threads: int | None
    offloads: float | None
    offload_s: float | None
    answer_s: float | None
    ping_s: float | None
    rates: dict[str, float | None]
    cpus: tuple[CpuActivity, ...]
    links: tuple[LinkActivity, ...]


class Activity(NamedTuple):
    enclave: str
    accelerator: str
    uptime_s: float
    interval_s: float
    partitions: tuple[PartitionActivity, ...]


def activity(before: Sample, after: Sample) -> Activity:
    """What happened from one sample to another of the same run."""
    olds = {each["name"]: each for each in before.enclave["partitions"]}
    interval_s = after.enclave["time_s"] - before.enclave["time_s"]
    return Activity(
        after.enclave["enclave"],
        after.enclave["accelerator"],
        after.enclave["uptime_s"],
        round(interval_s, 6),
        tuple(
            _partition(before, after, olds[each["name"]], each, interval_s)
            for each in after.enclave["partitions"]
        ),
    )


def _partition(
    before: Sample, after: Sample, old: dict[str, Any], new: dict[str, Any], interval_s: float
) -> PartitionActivity:
    pid, said = new["pid"], (new["use"] or {}) | after.guests.get(new["name"], {})
    seconds = after.time_s - before.time_s
    same = old["pid"] == pid
    cpus = tuple(_cpu(before, after, cpu, new, seconds if same else 0) for cpu in new["cpus"])
    use, used = after.processes.get(pid), before.processes.get(pid)
    run = _sum(cpu.run for cpu in cpus)
    whole = (use.ran_s - used.ran_s) / seconds if use and used and same and seconds > 0 else None
    links = tuple(_link(peer, old["links"][peer], link, interval_s) for peer, link in new["links"].items())
    offloads, offload_s = _offloads(old, new, interval_s)
    return PartitionActivity(
        **{
            key: new[key]
            for key in ("name", "kernel", "state", "reason", "paused", "debugger", "incarnation")
        },
        pid=pid,
        run=run,
        wait=_sum(cpu.wait for cpu in cpus),
        overhead=None if whole is None or run is None else round(max(0.0, whole - run), 4),
        ram_bytes=new["ram_bytes"],
        resident_bytes=use.resident_bytes if use else None,
        memory_bytes=_whole(said.get("memory_bytes")),
        free_bytes=_whole(said.get("free_bytes")),
        processes=_whole(said.get("processes")),
        threads=_whole(said.get("threads")),
        offloads=offloads,
        offload_s=offload_s,
        answer_s=new["answer_s"],
        ping_s=said.get("ping_s"),
        rates={name: _sum(link.rates[name] for link in links) for name in RATES},
        cpus=cpus,
        links=links,
    )


def _cpu(
    before: Sample, after: Sample, cpu: dict[str, Any], partition: dict[str, Any], seconds: float
) -> CpuActivity:
    thread = cpu["thread_id"]
    new, old = after.threads.get(thread), before.threads.get(thread)
    run = wait = halt = None
    if new and old and seconds > 0:
        run = _share(new.ran_s - old.ran_s, seconds)
        wait = min(_share(new.waited_s - old.waited_s, seconds), 1 - run)
        halt = round(1 - run - wait, 4)
    state = UNKNOWN
    if new and partition["state"] != "EXITED":
        # A vCPU whose guest has nothing to do sleeps, under TCG as under KVM.
        state = PAUSED if partition["paused"] else RUNNING if new.runnable else HALTED
    return CpuActivity(
        cpu["cpu"], cpu["local_cpu"], thread, state, new.processor if new else None, run, wait, halt
    )


def _share(used_s: float, seconds: float) -> float:
    """Not more than all of a processor: the two clocks are not read in the same moment."""
    return round(min(max(used_s / seconds, 0.0), 1.0), 4)


def _link(peer: str, old: dict[str, Any], new: dict[str, Any], seconds: float) -> LinkActivity:
    rates = {
        name: round((new[name] - old[name]) / seconds, 3) if seconds > 0 and new[name] >= old[name] else None
        for name in RATES
    }
    return LinkActivity(
        peer,
        new["state"],
        _generation(new["generation"]),
        _generation(new["peer_generation"]),
        rates,
        {name: new[name] for name in RATES},
    )


def _offloads(old: dict[str, Any], new: dict[str, Any], seconds: float) -> tuple[float | None, float | None]:
    """Per second, and how long one took in the mean: None if there was none."""
    was, use = old["use"], new["use"]
    if not was or not use or old["incarnation"] != new["incarnation"] or seconds <= 0:
        return None, None
    count, waited_ns = use["offloads"] - was["offloads"], use["offload_ns"] - was["offload_ns"]
    if count < 0 or waited_ns < 0:
        return None, None
    return round(count / seconds, 3), round(waited_ns / count / 1e9, 9) if count else None


def _generation(number: int) -> str:
    return f"{number >> 16}.{number & 0xFFFF}"


def _sum(values: Iterable[float | None]) -> float | None:
    """None if it is of nothing, or of something that is not known."""
    known = list(values)
    if not known or any(value is None for value in known):
        return None
    return round(sum(value for value in known if value is not None), 4)


def _whole(value: float | None) -> int | None:
    return None if value is None else int(value)
