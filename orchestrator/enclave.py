# SPDX-License-Identifier: Apache-2.0
"""All partitions of a run in one scope: the fabric between them, their start, their state, their end."""

import asyncio
import json
import os
import shlex
import shutil
import sys
import time
from collections import Counter
from collections.abc import AsyncIterator, Collection, Iterator
from contextlib import ExitStack, asynccontextmanager, contextmanager, suppress
from functools import partial
from pathlib import Path

from orchestrator.chunks import chunk_name, chunk_names, window_names
from orchestrator.console import Console
from orchestrator.crashes import Crashes
from orchestrator.deadlines import Deadlines, patience
from orchestrator.errors import (
    DeadlineError,
    EnclaveError,
    EnvironmentFault,
    GuestError,
    HangError,
    UsageError,
)
from orchestrator.events import Events
from orchestrator.fabric import Fabric
from orchestrator.fault_log import FaultLog
from orchestrator.ikc import NO_WINDOW, Identity, LogReader, Segment
from orchestrator.keeper import Keeper
from orchestrator.kinds import KernelKind
from orchestrator.launch_options import LaunchOptions
from orchestrator.machine import Launch
from orchestrator.partition import Partition, State
from orchestrator.placement import processors_by_place
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.profile import Boot, boot_of
from orchestrator.qemu_command import Wiring, qemu_command, shares_memory
from orchestrator.quantities import format_cpu_list
from orchestrator.records import as_json
from orchestrator.repro_script import Shared, repro_script, wiring_by_variables
from orchestrator.room import require_room
from orchestrator.run import RunFolder
from orchestrator.run_initramfs import write_run_initramfs
from orchestrator.ssh_relay import SshPorts

TURN_S = 0.2  # after which the next may start, whatever has become of this one


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
        faults: FaultLog,
        crashes: Crashes,
        ssh_ports: SshPorts,
        resources: ExitStack,
    ) -> None:
        self.run = run
        self.plan = plan
        self.options = options
        self.started = started
        self.fabric = fabric
        self.events = events
        self.faults = faults
        self.crashes = crashes
        self._ssh_ports = ssh_ports
        self.ending = asyncio.Event()
        self._tracing: Counter[int] = Counter()
        self.ready_s: float | None = None
        self._deadlines = deadlines_of(plan, options)
        linuxes = sum(partition.kind.runs_linux for partition in plan.partitions)
        self._turns = asyncio.Semaphore(max(1, len(os.sched_getaffinity(0)) - linuxes))
        self.keepers = [self._keeper(partition, resources) for partition in plan.partitions]
        crashes.partitions = [keeper.partition for keeper in self.keepers]
        fabric.on_doorbell(self._rung)

    def _keeper(self, plan: PartitionPlan, resources: ExitStack) -> Keeper:
        console = resources.enter_context(Console(self.run.console_log(plan.name), self.started, plan.name))
        placement = self.options.placement
        return Keeper(
            Partition(plan.name, plan.index, plan.kind),
            self.fabric,
            tuple(chunk_names(plan)),
            console,
            self._deadlines,
            self.events,
            partial(self._prepare, plan),
            processors_by_place(plan, placement.partitions[plan.index]) if placement else {},
            self.run,
            plan.name in self.options.wait_gdb,
            self.crashes,
            self._ssh_ports,
        )

    def keeper(self, name: str) -> Keeper:
        """Raises UsageError if there is no such partition."""
        for keeper in self.keepers:
            if keeper.partition.name == name:
                return keeper
        names = ", ".join(keeper.partition.name for keeper in self.keepers)
        raise UsageError(f"enclave {self.run.name} has no partition {name!r}", f"it has: {names}")

    # ---- starting ----

    def _prepare(
        self, partition: PartitionPlan, qmp: int, serial: int, fabric: int, wait_gdb: bool
    ) -> Launch:
        memory = [self.fabric.memory_fds[name] for name in chunk_names(partition)]
        windows = [self.fabric.memory_fds[name] for name in window_names(self.plan, partition)]
        kernel, initrd = self._kernel(partition), self._initrd(partition)
        people = self.run.qmp_socket(partition.name)
        wiring = Wiring.live(qmp, serial, fabric, people, memory, windows, kernel, initrd)
        options = self.options
        command = qemu_command(
            self.plan, partition, wiring, options.accelerator, options.tsc_khz, options.placement, wait_gdb
        )
        self.run.command(partition.name).write_text(shlex.join(command) + "\n")
        descriptors = (qmp, serial, fabric, *memory, *windows)
        return Launch(partition.name, command, descriptors, self.run.qemu_stderr(partition.name))

    def _kernel(self, partition: PartitionPlan) -> Path:
        kernel = self.options.kernel_of(partition, self.run)
        if partition.kind is KernelKind.LWK:
            shutil.copyfile(self.options.lwk, kernel)
        return kernel

    def _initrd(self, partition: PartitionPlan) -> str:
        """ "" if it needs none."""
        if not partition.kind.runs_linux:
            return ""
        images, run = self.options.host_images, self.run
        initramfs = run.initramfs(partition.kind)
        if not initramfs.exists():
            made = {run.initramfs(kind): image.initramfs for kind, image in images.items()}
            write_run_initramfs(made, run.key, run.known_hosts)
        return str(initramfs)

    async def _keep(self, keeper: Keeper) -> None:
        """Linux takes the longest to boot, and whatever needs its processor meanwhile holds it up: the others
        begin when its QEMU has got going, and only so many at once as there are processors beside it."""
        if keeper.partition.kernel.runs_linux:
            await keeper.keep()
            return
        for other in self.keepers:
            if other.partition.kernel.runs_linux:
                await other.begun.wait()
        async with asyncio.TaskGroup() as tasks, self._turns:
            tasks.create_task(keeper.keep())
            await keeper.begun.wait()
            await self.events.until(lambda: keeper.partition.state is not State.BOOTING, TURN_S)

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
        """Returns once all partitions are READY, but for those in gdb; raises why, if one will not be."""

        def failed() -> list[Partition]:
            states = (keeper.partition for keeper in self.keepers)
            return [each for each in states if each.state not in (State.BOOTING, State.READY)]

        def succeeded() -> bool:
            debugged = any(keeper.partition.debugged for keeper in self.keepers)
            reached = all(keeper.usable or keeper.in_gdb for keeper in self.keepers)
            return reached and (debugged or self.ready_s is not None)

        await self.events.until(lambda: succeeded() or bool(failed()))
        for partition in failed():
            raise self.fault(partition)

    def fault(self, partition: Partition) -> EnclaveError:
        """The error that a partition's state stands for."""
        kind: type[EnclaveError] = GuestError
        if partition.state is State.HUNG:
            kind = DeadlineError if partition.ready_s is None else HangError
        name, run = partition.name, self.run
        return kind(
            f"{name}: {partition.reason}",
            (f"`enclave crash {run.name}` tells the story\n" if self.crashes.has_one_of(partition) else "")
            + f"look into {run.console_log(name)}, or `enclave log {name}`; "
            f"`enclave restart {name}` boots it again",
        )

    async def death(self, name: str) -> None:
        """Waits until a partition's present life is over; raises why if nobody asked for that."""
        partition = self.keeper(name).partition
        life = partition.incarnation
        await self.events.until(lambda: not partition.alive or partition.incarnation != life)
        if partition.incarnation == life and self.crashes.has_one_of(partition):
            raise self.fault(partition)

    # ---- what people ask for ----

    async def restart(self, name: str, wait_gdb: bool = False) -> None:
        """Boots one partition again; returns when it is READY or in gdb, or raises why it will not be."""
        keeper = self.keeper(name)
        await keeper.restart(wait_gdb)
        partition, life = keeper.partition, keeper.partition.incarnation
        await self.events.until(
            lambda: (
                keeper.usable
                or partition.debugged
                or partition.state not in (State.BOOTING, State.READY)
                or partition.incarnation != life
            )
        )
        if partition.state is not State.READY and not partition.debugged:
            raise self.fault(partition)

    def log(self, name: str) -> LogReader:
        return LogReader(self.fabric.region, self.keeper(name).partition.index)

    @contextmanager
    def traced(self, partition: int) -> Iterator[None]:
        """A partition writes down its messages, as long as anybody wants that."""
        self._tracing[partition] += 1
        self.fabric.region.ask_for_trace(partition, True)
        try:
            yield
        finally:
            self._tracing[partition] -= 1
            self.fabric.region.ask_for_trace(partition, self._tracing[partition] > 0)

    async def shut_down(self) -> dict[str, str]:
        """Ends every partition, all at once, and completes crash bundles; returns how each ended in words."""
        self.ending.set()
        for rule in self.fabric.relay.clear() if self.fabric.relay else ():
            self.faults.rule_removed(rule)
        ends = await asyncio.gather(*(keeper.shut_down() for keeper in self.keepers))
        await self.crashes.settled()
        return {keeper.partition.name: end for keeper, end in zip(self.keepers, ends, strict=True)}

    def boots(self) -> list[Boot]:
        """Where the time of each partition's present life went until it was READY."""
        return [
            boot_of(
                keeper.partition.name,
                keeper.partition.kernel,
                self.events.kept,
                self.fabric.region.status(keeper.partition.index),
                self.log(keeper.partition.name).read().decode(errors="replace"),
            )
            for keeper in self.keepers
        ]

    def write_repro(self) -> None:
        """What starts the same QEMUs by hand, beside this enclave or after it: repro.sh and repro.json."""
        commands = {
            each.name: qemu_command(
                self.plan,
                each,
                wiring_by_variables(
                    each, self.run.path, self.options.kernel_of(each, self.run), self._initrd(each)
                ),
                self.options.accelerator,
                self.options.tsc_khz,
                self.options.placement,
            )
            for each in self.plan.partitions
        }
        self.run.repro_shared.write_text(json.dumps(as_json(shared_by(self.plan))) + "\n")
        self.run.repro.write_text(repro_script(self.run.name, sys.executable, commands))
        self.run.repro.chmod(0o700)

    def save_logs(self) -> None:
        """Keeps the kernel logs beyond the end of the region."""
        for keeper in self.keepers:
            text = self.log(keeper.partition.name).read()
            if text:
                with suppress(OSError):
                    self.run.kernel_log(keeper.partition.name).write_bytes(text)


@asynccontextmanager
async def boot(
    run: RunFolder, plan: Plan, options: LaunchOptions, started: float, ssh_ports: SshPorts
) -> AsyncIterator[Enclave]:
    """Starts every partition; yields when their QEMUs were started, and leaves none behind.

    Raises EnvironmentFault if this computer has not got the room, or cannot start QEMU.
    """
    require_room(plan, options.layout)
    fault = None
    with ExitStack() as resources:
        events = resources.enter_context(Events(run.events, started))
        faults = FaultLog(events, [partition.name for partition in plan.partitions])
        on_fault = faults.doorbell if options.interpose else None
        shared = shared_by(plan)
        fabric = resources.enter_context(
            Fabric(options.layout, shared.identities, shared.memory, on_fault, shared.hugepages)
        )
        crashes = Crashes(run, plan, options, started, fabric, events, deadlines_of(plan, options))
        async with crashes:
            enclave = Enclave(
                run, plan, options, started, fabric, events, faults, crashes, ssh_ports, resources
            )
            if options.placement and options.placement.others:
                _keep_to(options.placement.others)
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


def deadlines_of(plan: Plan, options: LaunchOptions) -> Deadlines:
    return patience(options.accelerator, sum(len(partition.cpus) for partition in plan.partitions))


def _keep_to(processors: Collection[int]) -> None:
    """Binds this process and all that it starts from now on; the CPUs that are pinned leave."""
    try:
        os.sched_setaffinity(0, processors)
    except OSError as error:
        raise EnvironmentFault(
            f"cannot keep to processor {format_cpu_list(processors)} of this computer: {error.strerror}",
            "`--place none` does without",
        ) from error


def shared_by(plan: Plan) -> Shared:
    """What the partitions of a plan share."""
    sharing = [partition for partition in plan.partitions if shares_memory(partition)]
    return Shared(
        tuple(identities(plan)),
        {
            chunk_name(partition, index): chunk.window_bytes
            for partition in sharing
            for index, chunk in enumerate(partition.memory)
        },
        {
            chunk_name(partition, index): partition.place.hugepage_bytes
            for partition in plan.partitions
            for index in range(len(partition.memory))
            if partition.place.hugepage_bytes
        },
        {partition.name: chunk_names(partition) for partition in plan.partitions},
        {partition.name: window_names(plan, partition) for partition in plan.partitions},
    )


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
            partition.name,
            "LINUX" if partition.kind.runs_linux else partition.kind.name,
            partition.is_host,
            len(partition.cpus),
            segments(partition),
        )
        for partition in plan.partitions
    ]
