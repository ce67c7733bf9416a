# SPDX-License-Identifier: Apache-2.0
"""Makes a crash bundle (crash_folder.py) of each fault of a partition, beside the enclave that runs on.

First, at once, what would be lost is taken: the region as it is before the others hear of the death, then
registers and stacks; a restart waits for that. Then another process puts it in order, which takes longer, and
for which nobody waits but the end of the run.
"""

import asyncio
import logging
import mmap
import os
import pickle
import shutil
import sys
import time
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import NamedTuple

from orchestrator.chunks import chunk_names
from orchestrator.crash_folder import draft_of
from orchestrator.crash_take import MachineTaker, take_machine
from orchestrator.crash_taken import Machinery, Taken
from orchestrator.deadlines import Deadlines
from orchestrator.events import Events
from orchestrator.fabric import Fabric
from orchestrator.kinds import KernelKind
from orchestrator.launch_options import LaunchOptions
from orchestrator.machine import Launch, Machine, Process
from orchestrator.partition import Fault, Partition
from orchestrator.plan import PartitionPlan, Plan
from orchestrator.run import RunFolder

STANDS_STILL_S = 1.0  # from a kernel's word that it panics to QEMU's that it has
TAKE_S = 10.0
WRITE_S = 60.0  # of a process that may be one of many on a busy computer
AT_ONCE = 2  # processes that write


class _Pending(NamedTuple):
    partition: int
    taken: asyncio.Event


class Crashes:
    """Of one run; an `async with` at whose end every bundle is complete, or was given up."""

    def __init__(
        self,
        run: RunFolder,
        plan: Plan,
        options: LaunchOptions,
        started: float,
        fabric: Fabric,
        events: Events,
        deadlines: Deadlines,
    ) -> None:
        self.partitions: Sequence[Partition] = ()
        self._run = run
        self._plan = plan
        self._options = options
        self._started = started
        self._fabric = fabric
        self._events = events
        self._deadlines = deadlines
        self._count = 0
        self._pending: set[_Pending] = set()
        self._lives: set[tuple[int, int]] = set()
        self._writing = asyncio.Semaphore(AT_ONCE)
        self._tasks = asyncio.TaskGroup()
        self._log = logging.getLogger(__name__)

    async def __aenter__(self) -> "Crashes":
        await self._tasks.__aenter__()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._tasks.__aexit__(kind, error, trace)

    def begin(self, partition: Partition, machine: Machine | None) -> None:
        """Of the fault that brought a partition into its present state. Returns at once, and never raises."""
        plan = self._plan.partitions[partition.index]
        if _is_verdict(plan, partition):
            return
        self._count += 1
        self._lives.add((partition.index, partition.incarnation))
        pending = _Pending(partition.index, asyncio.Event())
        self._pending.add(pending)
        try:
            known = self._known(partition)
            region = self._freeze(partition.index)
        except OSError as error:
            self._give_up(pending, str(error))
            return
        self._tasks.create_task(self._make(pending, partition, machine, known, region))

    def has_one_of(self, partition: Partition) -> bool:
        """Whether a bundle of its present or last life was made, or is being made."""
        return (partition.index, partition.incarnation) in self._lives

    async def taken(self, index: int) -> None:
        """Returns when a partition may be changed again: all that its bundles need of it was taken."""
        for pending in [each for each in self._pending if each.partition == index]:
            await pending.taken.wait()

    async def settled(self) -> None:
        """Returns when no bundle is being made."""
        await self._events.until(lambda: not self._pending)

    # ---- at once ----

    def _known(self, partition: Partition) -> Taken:
        now = time.monotonic()
        command = self._run.command(partition.name)
        return Taken(
            run=self._run,
            plan=self._plan,
            layout=self._options.layout,
            number=self._count,
            partition=partition.index,
            incarnation=partition.incarnation,
            fault=str(partition.fault),
            state=partition.state.value,
            reason=partition.reason,
            t=now - self._started,
            at=datetime.now(UTC).isoformat(timespec="milliseconds"),
            uptime_s=now - partition.began,
            kernel=self._options.kernel_of(self._plan.partitions[partition.index], self._run),
            module=self._options.module_of(self._plan.partitions[partition.index]),
            command=command.read_text() if command.exists() else "",
            others=tuple(
                (each.name, each.state.value, each.reason)
                for each in self.partitions
                if each.index != partition.index
            ),
            machinery=Machinery(),
        )

    def _freeze(self, index: int) -> int:
        """A copy of what the region says of a partition and of its links, as a memfd that is the caller's."""
        descriptor = os.memfd_create("ikc-region-frozen", os.MFD_CLOEXEC)
        os.ftruncate(descriptor, os.fstat(self._fabric.region_fd).st_size)
        spans = [(0, self._options.layout.constant("IKC_PAGE_SIZE")), *self._spans(index)]
        with mmap.mmap(self._fabric.region_fd, 0, prot=mmap.PROT_READ) as memory, memoryview(memory) as whole:
            for begin, end in spans:
                with whole[begin:end] as piece:
                    os.pwrite(descriptor, piece, begin)
        return descriptor

    def _spans(self, index: int) -> Iterator[tuple[int, int]]:
        region = self._fabric.region
        own = region.partition(index)
        yield own.span("identity")[0], own.span("pool")[0]
        for peer in range(len(self._plan.partitions)):
            for from_, to in ((index, peer), (peer, index)):
                half = region.half(from_, to)
                yield half.span("lives")[0], half.span("channel_slots")[0]

    # ---- then ----

    async def _make(
        self, pending: _Pending, partition: Partition, machine: Machine | None, known: Taken, region: int
    ) -> None:
        bundle = self._run.crashes / f"{known.number}-{known.name}"
        draft = draft_of(bundle)
        try:
            draft.mkdir(mode=0o700, parents=True)
            taken = await self._take(partition, machine, known, draft)
            pending.taken.set()
            async with self._writing:
                await self._write(taken, draft, region)
            self._events.record(
                known.name, "crash", number=known.number, fault=known.fault, bundle=str(bundle)
            )
        except Exception as error:
            self._log.exception("no crash bundle of %s", known.name)
            self._give_up(pending, str(error))
        finally:
            os.close(region)
            shutil.rmtree(draft, ignore_errors=True)
            pending.taken.set()
            self._pending.discard(pending)
            self._events.pulse()

    def _give_up(self, pending: _Pending, why: str) -> None:
        self._pending.discard(pending)
        pending.taken.set()
        self._events.record(self._plan.partitions[pending.partition].name, "no crash bundle", why=why)

    async def _take(self, partition: Partition, machine: Machine | None, known: Taken, draft: Path) -> Taken:
        if known.fault == Fault.PANIC:
            # It stops the other CPUs and writes its log before it lets QEMU know.
            await self._events.until(lambda: _at_rest(partition, machine), STANDS_STILL_S)
        plan = self._plan.partitions[known.partition]
        memory = self._memory(plan)
        make = partial(
            MachineTaker, plan=plan, memory=memory, folder=draft, deadline_s=self._deadlines.monitor_s
        )
        machinery = await take_machine(machine, make, known.fault == Fault.RESET, TAKE_S)
        return known._replace(machinery=machinery)

    def _memory(self, plan: PartitionPlan) -> list[int]:
        return [self._fabric.memory_fds[name] for name in chunk_names(plan)]

    async def _write(self, taken: Taken, draft: Path, region: int) -> None:
        """Has another process do that; raises OSError with how it ended."""
        order = os.memfd_create("crash", os.MFD_CLOEXEC)
        try:
            os.pwrite(order, pickle.dumps(taken), 0)
            descriptors = (order, region, self._fabric.region_fd)
            command = [sys.executable, "-m", "orchestrator.crash_writer", *map(str, descriptors)]
            process = Process(Launch("crash", command, descriptors, self._run.supervisor_log))
        finally:
            os.close(order)
        try:
            async with asyncio.timeout(WRITE_S):
                status = await asyncio.shield(process.exited)
        except TimeoutError:
            raise OSError(f"its writer did not end within {WRITE_S:g} s") from None
        finally:
            process.kill()
            await asyncio.shield(process.exited)
            process.close()
        if status:
            raise OSError(f"its writer ended with {status}; see {self._run.supervisor_log}")


def _at_rest(partition: Partition, machine: Machine | None) -> bool:
    return partition.stands_still or machine is None or machine.pid is None


def _is_verdict(plan: PartitionPlan, partition: Partition) -> bool:
    """Whether this is how an LWK that was told to test itself ends."""
    return partition.fault is Fault.EXIT and plan.kind is KernelKind.LWK and "selftest=" in plan.cmdline
