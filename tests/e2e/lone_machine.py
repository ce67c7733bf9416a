# SPDX-License-Identifier: Apache-2.0
"""The QEMUs of a plan, each alone on a fabric: what they say of themselves over QMP, and what an LWK's
self-tests find in them."""

import asyncio
import re
import socket
from collections.abc import AsyncIterator, Iterable
from contextlib import ExitStack, asynccontextmanager, suppress
from pathlib import Path
from typing import Any, NamedTuple

from orchestrator.chunks import chunk_name
from orchestrator.enclave import identities
from orchestrator.fabric import Fabric
from orchestrator.ikc import LogReader
from orchestrator.ikc_layout import ensure_layout
from orchestrator.lwk import BUILD, LWK
from orchestrator.machine import Launch, Machine, MonitorLost, start_machine
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.qemu_command import Wiring, qemu_command, shares_memory
from orchestrator.topology import Position

ANSWER_DEADLINE_S = 60.0
VERDICT_DEADLINE_S = 120.0


class Cpu(NamedTuple):
    at: Position
    apic_id: int
    node: int


class Seen(NamedTuple):
    """`node_mib` is of each NUMA node, `backends` of each memory backend its bytes."""

    cpus: list[Cpu]
    backends: dict[str, int]
    node_mib: dict[int, int]


def read_back(plan: Plan, folder: Path) -> dict[str, Seen]:
    """What each partition's QEMU has made of the plan; raises MonitorLost with its words if it refused it."""
    return asyncio.run(_read_back(plan, folder))


async def _read_back(plan: Plan, folder: Path) -> dict[str, Seen]:
    with _fabric(plan) as fabric:
        found = {}
        for partition in plan.partitions:
            async with _alone(plan, partition, fabric, folder, "tcg", "-S") as machine:
                found[partition.name] = await _said_by(machine)
        return found


def self_tested(plan: Plan, name: str, accelerator: str, folder: Path) -> str:
    """How the QEMU of a self-testing LWK ended, and what that had to say."""
    return asyncio.run(_self_tested(plan, name, accelerator, folder))


async def _self_tested(plan: Plan, name: str, accelerator: str, folder: Path) -> str:
    partition = next(each for each in plan.partitions if each.name == name)
    with _fabric(plan) as fabric:
        fabric.region.begin_life(partition.index)
        ending = f"no verdict within {VERDICT_DEADLINE_S:g} s"
        async with _alone(plan, partition, fabric, folder, accelerator) as machine:
            with suppress(TimeoutError):
                async with asyncio.timeout(VERDICT_DEADLINE_S):
                    ending = await machine.wait()
        return f"{ending}\n{LogReader(fabric.region, partition.index).read().decode()}"


def _fabric(plan: Plan) -> Fabric:
    memory = {
        chunk_name(partition, index): chunk.window_bytes
        for partition in plan.partitions
        if shares_memory(partition)
        for index, chunk in enumerate(partition.memory)
    }
    return Fabric(ensure_layout(BUILD), identities(plan), memory)


@asynccontextmanager
async def _alone(
    plan: Plan, partition: PartitionPlan, fabric: Fabric, folder: Path, accelerator: str, *more: str
) -> AsyncIterator[Machine]:
    """Every partition's kernel is the LWK here."""
    with ExitStack() as stack:
        ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
        doorbells = stack.enter_context(fabric.connect(partition.index))
        memory = [
            fabric.memory_fds[chunk_name(partition, index)]
            for index in range(len(partition.memory))
            if shares_memory(partition)
        ]
        windows = [
            fabric.memory_fds[chunk_name(plan.partitions[window.partition], window.chunk)]
            for window in partition.windows
        ]
        ends = (theirs.fileno(), doorbells.fileno())
        people = folder / "qmp.sock"
        wiring = Wiring.live(ends[0], -1, ends[1], people, memory, windows, LWK, "")._replace(serial="null")
        command = [*qemu_command(plan, partition, wiring, accelerator), *more]
        launch = Launch(partition.name, command, (*ends, *memory, *windows), folder / "stderr")
        async with start_machine(launch, ours) as machine:
            theirs.close()
            yield machine


async def _said_by(machine: Machine) -> Seen:
    try:
        await machine.connect(ANSWER_DEADLINE_S)
        return await _ask(machine)
    except MonitorLost as lost:
        raise MonitorLost(f"{machine.name}: {lost}: {machine.last_words()}") from lost


async def _ask(machine: Machine) -> Seen:
    async def ask(command: str, **arguments: Any) -> Any:
        return await machine.execute(command, ANSWER_DEADLINE_S, **arguments)

    found = [
        (cpu["props"], await ask("qom-get", path=cpu["qom-path"], property="apic-id"))
        for cpu in await ask("query-cpus-fast")
    ]
    numa = await ask("human-monitor-command", **{"command-line": "info numa"})
    return Seen(
        sorted(Cpu(_position(props), apic_id, props["node-id"]) for props, apic_id in found),
        {backend["id"]: backend["size"] for backend in await ask("query-memdev")},
        dict(_pairs(re.findall(r"^node (\d+) size: (\d+) MB", numa, re.MULTILINE))),
    )


def _position(props: dict[str, int]) -> Position:
    """QEMU names no die where each socket has one."""
    return Position(props["socket-id"], props.get("die-id", 0), props["core-id"], props["thread-id"])


def _pairs(found: Iterable[tuple[str, str]]) -> list[tuple[int, int]]:
    return [(int(a), int(b)) for a, b in found]
