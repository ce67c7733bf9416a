# SPDX-License-Identifier: Apache-2.0
"""Takes of a machine that went wrong what only lasts as long as it does: its CPUs' registers and stacks.

Nobody is stopped for that. Of a kernel that runs on, registers and stacks are of moments that are a few
milliseconds apart; one that is dead or hung stands still anyway.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from orchestrator.backtrace import Chain, follow_frames, stack_of
from orchestrator.crash_taken import Machinery, Stack
from orchestrator.guest_memory import AddressSpace, GuestMemory, Range
from orchestrator.machine import Machine, MonitorLost, position_of
from orchestrator.plan import PartitionPlan
from orchestrator.qemu_command import shares_memory
from orchestrator.registers import Cpu, parse_registers
from orchestrator.triple_fault import no_way_to_handler


class MachineTaker:
    """`memory` has the descriptors of the chunks, none if the memory is QEMU's own; QEMU may leave
    files in `folder` for a moment."""

    def __init__(
        self, machine: Machine, plan: PartitionPlan, memory: Sequence[int], folder: Path, deadline_s: float
    ) -> None:
        self._machine = machine
        self._plan = plan
        self._memory = memory
        self._folder = folder
        self._deadline_s = deadline_s
        self._missing: list[str] = []

    async def take(self, is_reset: bool) -> Machinery:
        """What can be had; never raises because of something that cannot."""
        registers = await self._monitor("info registers -a")
        cpus = parse_registers(registers)
        if registers and not cpus:
            self._missing.append("registers: QEMU tells them in words that are not known")
        taken = Machinery(
            version=await self._version(),
            status=(await self._monitor("info status")).strip(),
            registers=registers,
            node_cpus=await self._node_cpus(),
        )
        if shares_memory(self._plan):
            chains, no_way = await asyncio.to_thread(self._look_into_memory, cpus, is_reset)
            taken = taken._replace(chains=chains, no_way=no_way)
        else:
            taken = taken._replace(stacks=await self._stacks(cpus), no_way=_by_registers(cpus, is_reset))
        return taken._replace(missing=tuple(self._missing))

    # ---- QEMU ----

    async def _monitor(self, line: str) -> str:
        """An answer of QEMU's monitor for people, "" if there is none."""
        try:
            return str(
                await self._machine.execute(
                    "human-monitor-command", self._deadline_s, **{"command-line": line}
                )
            )
        except MonitorLost as error:
            self._missing.append(f"`{line}`: {error}")
            return ""

    async def _version(self) -> str:
        try:
            told = await self._machine.execute("query-version", self._deadline_s)
            number = ".".join(str(told["qemu"][part]) for part in ("major", "minor", "micro"))
            return f"{number} {told.get('package', '')}".strip()
        except (MonitorLost, KeyError, TypeError) as error:
            self._missing.append(f"QEMU's version: {error}")
            return ""

    async def _node_cpus(self) -> dict[int, int]:
        places = {cpu.at: cpu.node_cpu for cpu in self._plan.cpus}
        try:
            told = await self._machine.execute("query-cpus-fast", self._deadline_s)
            return {each["cpu-index"]: places[position_of(each["props"])] for each in told}
        except (MonitorLost, KeyError, TypeError) as error:
            self._missing.append(f"which CPU is which: {error}")
            return {}

    async def _stacks(self, cpus: Sequence[Cpu]) -> dict[int, Stack]:
        """Of memory that is QEMU's own; a program that Linux runs has a stack of no interest here."""
        stacks = {}
        for cpu in cpus:
            if cpu.in_user_mode or not cpu.in_long_mode:
                continue
            address, size = stack_of(cpu)
            try:
                stacks[cpu.number] = Stack(address, await self._save(cpu.number, address, size))
            except (MonitorLost, OSError) as error:
                self._missing.append(f"the stack of QEMU's CPU {cpu.number}: {error}")
        return stacks

    async def _save(self, cpu: int, address: int, size: int) -> bytes:
        file = self._folder / f"stack-{cpu}"
        # QMP's numbers are signed.
        signed = address - (1 << 64) if address >> 63 else address
        where = {"val": signed, "size": size, "filename": str(file), "cpu-index": cpu}
        try:
            await self._machine.execute("memsave", self._deadline_s, **where)
            return file.read_bytes()
        finally:
            with suppress(OSError):
                file.unlink()

    # ---- memory ----

    def _look_into_memory(
        self, cpus: Sequence[Cpu], is_reset: bool
    ) -> tuple[dict[int, Chain], dict[int, str]]:
        memory = GuestMemory(
            [
                Range(each.phys, each.size_bytes, self._memory[each.chunk], each.offset)
                for each in self._plan.segments
            ]
        )
        chains, no_way = {}, {}
        for cpu in cpus:
            space = AddressSpace(memory, cpu)
            chains[cpu.number] = follow_frames(cpu, space.read64)
            why = no_way_to_handler(cpu, space.read) if is_reset else ""
            if why:
                no_way[cpu.number] = why
        return chains, no_way


def _by_registers(cpus: Sequence[Cpu], is_reset: bool) -> Mapping[int, str]:
    found = {cpu.number: no_way_to_handler(cpu, None) for cpu in cpus} if is_reset else {}
    return {index: why for index, why in found.items() if why}


async def take_machine(
    machine: Machine | None, make: Callable[[Machine], MachineTaker], is_reset: bool, deadline_s: float
) -> Machinery:
    """Of a machine that may be gone, or go meanwhile."""
    if machine is None or machine.pid is None:
        return Machinery(missing=("registers and stacks: they went with QEMU",))
    try:
        async with asyncio.timeout(deadline_s):
            return await make(machine).take(is_reset)
    except TimeoutError:
        return Machinery(missing=(f"registers and stacks: not had within {deadline_s:g} s",))
