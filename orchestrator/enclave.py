# SPDX-License-Identifier: Apache-2.0
"""All partitions of a run in one scope: the fabric between them, their start, their state, their end."""

import asyncio
import shlex
import time
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager, suppress
from functools import partial
from pathlib import Path

from orchestrator.console import Console
from orchestrator.deadlines import patience
from orchestrator.errors import DeadlineError, EnclaveError, GuestError, HangError, UsageError
from orchestrator.events import Events
from orchestrator.fabric import Fabric
from orchestrator.ikc import NO_WINDOW, Identity, LogReader, Segment
from orchestrator.keeper import Keeper
from orchestrator.kinds import KernelKind
from orchestrator.launch_options import LaunchOptions
from orchestrator.machine import Launch
from orchestrator.partition import Partition, State
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.qemu_command import Wiring, qemu_command, shares_memory
from orchestrator.room import require_room
from orchestrator.run import RunFolder
from orchestrator.run_initramfs import write_run_initramfs


class Enclave:
    """A run that is alive; made by `boot` alone. `started` is the time of `up` by time.monotonic()."""

    def __init__(
        self,
        run: RunFolder,
        plan: Plan,
        options: LaunchOptions,
        started: float,
        fabric: Fabric,
        events: Events,
        resources: ExitStack,
    ) -> None:
        self.run = run
        self.plan = plan
        self.options = options
        self.started = started
        self.fabric = fabric
        self.events = events
        self.ready_s: float | None = None
        cpus = sum(len(partition.cpus) for partition in plan.partitions)
        self._deadlines = patience(options.accelerator, cpus)
        self.keepers = [self._keeper(partition, resources) for partition in plan.partitions]
        fabric.on_doorbell(self._rung)

    def _keeper(self, plan: PartitionPlan, resources: ExitStack) -> Keeper:
        console = resources.enter_context(Console(self.run.console_log(plan.name), self.started))
        return Keeper(
            Partition(plan.name, plan.index, plan.kind.value),
            self.fabric,
            tuple(chunk_names(plan)),
            console,
            self._deadlines,
            self.events,
            partial(self._prepare, plan),
        )

    def keeper(self, name: str) -> Keeper:
        """Raises UsageError if there is no such partition."""
        for keeper in self.keepers:
            if keeper.partition.name == name:
                return keeper
        names = ", ".join(keeper.partition.name for keeper in self.keepers)
        raise UsageError(f"enclave {self.run.name} has no partition {name!r}", f"it has: {names}")

    # ---- starting ----

    def _prepare(self, partition: PartitionPlan, qmp: int, serial: int, fabric: int) -> Launch:
        memory = [self.fabric.memory_fds[name] for name in chunk_names(partition)]
        windows = [
            self.fabric.memory_fds[chunk_name(self.plan.partitions[window.partition], window.chunk)]
            for window in partition.windows
        ]
        kernel, initrd = self._kernel(partition)
        people = self.run.qmp_socket(partition.name)
        wiring = Wiring.live(qmp, serial, fabric, people, memory, windows, kernel, initrd)
        command = qemu_command(self.plan, partition, wiring, self.options.accelerator, self.options.tsc_khz)
        self.run.command(partition.name).write_text(shlex.join(command) + "\n")
        descriptors = (qmp, serial, fabric, *memory, *windows)
        return Launch(partition.name, command, descriptors, self.run.qemu_stderr(partition.name))

    def _kernel(self, partition: PartitionPlan) -> tuple[Path, str]:
        if partition.kind is KernelKind.LWK:
            return self.options.lwk, ""
        if partition.kind is KernelKind.CUSTOM:
            return Path(partition.kernel_path), ""
        image, run = self.options.host_image, self.run
        if not run.initramfs.exists():
            write_run_initramfs(image, run.initramfs, run.key, run.known_hosts)
        return image.kernel, str(run.initramfs)

    async def _keep(self, keeper: Keeper) -> None:
        """Linux takes the longest to boot, and the start of another QEMU beside its own would hold it up."""
        if keeper.partition.kernel != KernelKind.LINUX:
            for other in self.keepers:
                if other.partition.kernel == KernelKind.LINUX:
                    await other.begun.wait()
        await keeper.keep()

    async def _launch_fault(self) -> Exception | None:
        """Waits until every QEMU was started once; the first reason why one could not be."""
        results = await asyncio.gather(*(keeper.launched for keeper in self.keepers), return_exceptions=True)
        return next((result for result in results if isinstance(result, Exception)), None)

    # ---- state ----

    def _rung(self) -> None:
        for keeper in self.keepers:
            keeper.look()
        self.events.pulse()

    def _all_ready(self) -> bool:
        return all(keeper.usable for keeper in self.keepers)

    async def _note_ready(self) -> None:
        await self.events.until(self._all_ready)
        self.ready_s = time.monotonic() - self.started
        self.events.record("", "ready", seconds=round(self.ready_s, 6))

    async def ready(self) -> None:
        """Returns once all partitions are READY; raises why, if one will not be."""

        def failed() -> list[Partition]:
            states = (keeper.partition for keeper in self.keepers)
            return [each for each in states if each.state not in (State.BOOTING, State.READY)]

        def succeeded() -> bool:
            return self.ready_s is not None and self._all_ready()

        await self.events.until(lambda: succeeded() or bool(failed()))
        for partition in failed():
            raise self.fault(partition)

    def fault(self, partition: Partition) -> EnclaveError:
        """The error that a partition's state stands for."""
        kind: type[EnclaveError] = GuestError
        if partition.state is State.HUNG:
            kind = DeadlineError if partition.ready_s is None else HangError
        console = self.run.console_log(partition.name)
        return kind(
            f"{partition.name}: {partition.reason}",
            f"look into {console}, or `enclave log {partition.name}`; "
            f"`enclave restart {partition.name}` boots it again",
        )

    # ---- what people ask for ----

    async def restart(self, name: str) -> None:
        """Boots one partition again; returns when it is READY, or raises why it will not be."""
        keeper = self.keeper(name)
        await keeper.restart()
        partition, life = keeper.partition, keeper.partition.incarnation
        await self.events.until(
            lambda: (
                keeper.usable
                or partition.state not in (State.BOOTING, State.READY)
                or partition.incarnation != life
            )
        )
        if partition.state is not State.READY:
            raise self.fault(partition)

    def log(self, name: str) -> LogReader:
        return LogReader(self.fabric.region, self.keeper(name).partition.index)

    async def shut_down(self) -> dict[str, str]:
        """Ends every partition, all at once; returns how each ended, in words."""
        ends = await asyncio.gather(*(keeper.shut_down() for keeper in self.keepers))
        return {keeper.partition.name: end for keeper, end in zip(self.keepers, ends, strict=True)}

    def save_logs(self) -> None:
        """Keeps the kernel logs beyond the end of the region."""
        for keeper in self.keepers:
            text = self.log(keeper.partition.name).read()
            if text:
                with suppress(OSError):
                    self.run.kernel_log(keeper.partition.name).write_bytes(text)


@asynccontextmanager
async def boot(run: RunFolder, plan: Plan, options: LaunchOptions, started: float) -> AsyncIterator[Enclave]:
    """Starts every partition; yields when their QEMUs were started, and leaves none behind.

    Raises EnvironmentFault if this computer has not got the room, or cannot start QEMU.
    """
    require_room(plan, options.layout)
    fault = None
    with ExitStack() as resources:
        events = resources.enter_context(Events(run.events, started))
        memory = {
            chunk_name(partition, index): chunk.window_bytes
            for partition in plan.partitions
            if shares_memory(partition)
            for index, chunk in enumerate(partition.memory)
        }
        fabric = resources.enter_context(Fabric(options.layout, identities(plan), memory))
        enclave = Enclave(run, plan, options, started, fabric, events, resources)
        async with asyncio.TaskGroup() as tasks:
            running = [tasks.create_task(enclave._keep(keeper)) for keeper in enclave.keepers]
            running.append(tasks.create_task(enclave._note_ready()))
            try:
                fault = await enclave._launch_fault()
                if fault is None:
                    yield enclave
            finally:
                for task in running:
                    task.cancel()
        enclave.save_logs()
    if fault is not None:
        raise fault


def chunk_name(partition: PartitionPlan, index: int) -> str:
    return f"{partition.name}-{index}"


def chunk_names(partition: PartitionPlan) -> list[str]:
    """Of the partition's memory in the fabric; none if its memory is its own."""
    if not shares_memory(partition):
        return []
    return [chunk_name(partition, index) for index in range(len(partition.memory))]


def identities(plan: Plan) -> list[Identity]:
    """What the region says of each partition."""
    windows = {
        (window.partition, window.chunk): window.slot << 3 | window.function for window in plan.host.windows
    }

    def segments(partition: PartitionPlan) -> tuple[Segment, ...]:
        return tuple(
            Segment(
                segment.phys,
                segment.size_bytes,
                segment.offset,
                windows.get((partition.index, segment.chunk), NO_WINDOW),
                partition.numa[partition.memory[segment.chunk].local_numa].node_id,
            )
            for segment in partition.segments
        )

    return [
        Identity(
            partition.name, partition.kind.name, partition.is_host, len(partition.cpus), segments(partition)
        )
        for partition in plan.partitions
    ]
