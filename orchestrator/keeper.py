# SPDX-License-Identifier: Apache-2.0
"""Keeps one partition: boots it, watches it, talks to its mailbox, and boots it again when asked to.

A keeper outlives the QEMUs that it starts. Whatever befalls its partition becomes a state with a reason;
nothing that it meets is raised to the others.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress

from orchestrator.console import Console
from orchestrator.deadlines import PROBE_EVERY_S, Deadlines
from orchestrator.errors import EnclaveError, HangError, UsageError
from orchestrator.events import Events
from orchestrator.fabric import Fabric
from orchestrator.machine import Launch, Machine, MonitorLost, start_machine
from orchestrator.partition import Partition, Reset, State

CONTROL_VECTOR = 0  # enum ikc_vector: IKC_VECTOR_CONTROL
REAP_S = 1.0  # from the end of a monitor to the end of its QEMU
# Given the numbers of the descriptors for monitor, serial line and fabric.
Prepare = Callable[[int, int, int], Launch]


class Keeper:
    """`launched` is done when the first QEMU was started, or has the error why it could not be.
    `begun` is set when that QEMU has answered its monitor, and so runs its guest, or is gone."""

    def __init__(
        self,
        partition: Partition,
        fabric: Fabric,
        memory: tuple[str, ...],
        console: Console,
        deadlines: Deadlines,
        events: Events,
        prepare: Prepare,
    ) -> None:
        self.partition = partition
        self.console = console
        self.ssh_port: int | None = None
        self.launched: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = asyncio.Event()
        self._fabric = fabric
        self._memory = memory
        self._deadlines = deadlines
        self._events = events
        self._prepare = prepare
        self._machine: Machine | None = None
        self._wanted = asyncio.Event()
        self._mailbox = asyncio.Lock()
        self._told = (partition.state, partition.reason, partition.incarnation)
        self._log = logging.getLogger(f"{__name__}.{partition.name}")

    @property
    def usable(self) -> bool:
        """READY, and if it runs Linux it is known how to reach it."""
        reachable = self.partition.kernel != "linux" or self.ssh_port is not None
        return self.partition.state is State.READY and reachable

    @property
    def pid(self) -> int | None:
        return self._machine.pid if self._machine else None

    # ---- lives ----

    async def keep(self) -> None:
        """Life after life; the next begins when `restart` asks for it. Ends by being cancelled."""
        while True:
            try:
                await self._live()
            except EnclaveError as error:
                self._fail(error, error.message)
            except Exception as error:
                self._log.exception("this life ended by a fault of the supervisor")
                self._fail(error, f"the supervisor failed: {error}")
            self.begun.set()
            self._tell()
            await self._wanted.wait()
            self._wanted.clear()

    def _fail(self, error: Exception, reason: str) -> None:
        self.partition.end(reason)
        if not self.launched.done():
            self.launched.set_exception(error)

    async def _live(self) -> None:
        """From the start of a QEMU to its end."""
        self.ssh_port = None
        with ExitStack() as ours, ExitStack() as theirs:
            monitor, monitor_end = _pair(ours, theirs)
            serial, serial_end = _pair(ours, theirs)
            fabric_end = theirs.enter_context(self._fabric.connect(self.partition.index))
            if self.partition.incarnation:
                for name in self._memory:
                    self._fabric.clear_memory(name)
            self._begin()
            launch = self._prepare(monitor_end.fileno(), serial_end.fileno(), fabric_end.fileno())
            async with start_machine(launch, monitor) as machine:
                theirs.close()
                self._machine = machine
                if not self.launched.done():
                    self.launched.set_result(None)
                self.partition.end(await self._watch(machine, serial))

    def _begin(self, by_reset: bool = False) -> None:
        incarnation = self._fabric.region.begin_life(self.partition.index)
        self.partition.begin(incarnation, time.monotonic(), by_reset)
        self._fabric.ring_partitions(CONTROL_VECTOR)
        self._tell()

    async def _watch(self, machine: Machine, serial: socket.socket) -> str:
        """Until QEMU has ended, and all that it had to say was heard; returns how it ended."""
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(self.console.pump(serial))
            tasks.create_task(self._hear(machine))
            minding = tasks.create_task(self._mind(machine))
            how = await machine.wait()
            minding.cancel()
        return how

    async def _hear(self, machine: Machine) -> None:
        async for event in machine.events():
            self._events.record(self.partition.name, event["event"], data=event.get("data", {}))
            self.look()
            reset = self.partition.hear(event, self.console.last_line)
            if reset is Reset.NEW_LIFE:
                self._begin(by_reset=True)
            if reset is not Reset.NO:
                with suppress(MonitorLost):
                    await machine.reset(self._deadlines.monitor_s)
            self._tell()

    async def _mind(self, machine: Machine) -> None:
        """Sees to it that each life gets ready in time and then goes on answering."""
        try:
            await machine.connect(self._deadlines.launch_s)
            self.begun.set()
            if self.partition.kernel == "linux":
                self.ssh_port = await machine.ssh_port(self._deadlines.monitor_s)
                self._events.record(self.partition.name, "ssh", port=self.ssh_port)
        except MonitorLost as error:
            # A QEMU that ends closes its monitor first, and how it ended tells more.
            with suppress(TimeoutError):
                await asyncio.wait_for(machine.wait(), REAP_S)
                return
            self.partition.end(str(error))
            machine.kill()
            return
        while True:
            await self._mind_life(self.partition.incarnation)

    async def _mind_life(self, life: int) -> None:
        partition, until = self.partition, self._events.until
        if partition.kernel == "custom":
            # It may never have heard of IKC: all that can be known is that QEMU runs it.
            partition.ready(time.monotonic())
            self._tell()
        deadline_s = partition.began + self._deadlines.ready_s - time.monotonic()
        if not await until(lambda: self._over(life) or partition.state is State.READY, deadline_s):
            partition.late(self._deadlines.ready_s, self.console.last_line)
            self._tell()
            await until(lambda: self._over(life) or partition.state is State.READY)
        while not self._over(life):
            await self._probe()
            await until(lambda: self._over(life), PROBE_EVERY_S)
        await until(lambda: partition.incarnation != life)

    def _over(self, life: int) -> bool:
        return not self.partition.alive or self.partition.incarnation != life

    # ---- the region ----

    def look(self) -> None:
        """Takes up what the partition says of itself in the region."""
        self.partition.say(self._fabric.region.status(self.partition.index), time.monotonic())
        self._tell()

    def _tell(self) -> None:
        """Tells everybody of a new state: the peers whether it lives, people what and why."""
        partition = self.partition
        told = (partition.state, partition.reason, partition.incarnation)
        if told == self._told:
            return
        self._told = told
        if not partition.alive:
            self._fabric.region.end_life(partition.index)
            self._fabric.ring_partitions(CONTROL_VECTOR)
        self._events.record(
            partition.name,
            "state",
            state=partition.state,
            reason=partition.reason,
            incarnation=partition.incarnation,
        )

    async def _ask(self, command: str, deadline_s: float) -> str | None:
        """Puts a command into the mailbox and waits for the answer; None if there was none in time."""
        index, region = self.partition.index, self._fabric.region
        life = self.partition.incarnation
        async with self._mailbox:
            sequence = region.post_command(index, command)
            self._fabric.ring(index, CONTROL_VECTOR)

            def answered() -> bool:
                status = region.status(index)
                return status.incarnation == life and status.answered == sequence

            if not await self._events.until(lambda: answered() or self._over(life), deadline_s):
                return None
            return region.status(index).answer if answered() else None

    async def _probe(self) -> None:
        if not self.partition.speaks_ikc:
            return
        if await self._ask("PROBE", self._deadlines.answer_s) is not None:
            self.partition.answer()
        else:
            self.partition.silent(self._deadlines.answer_s)
        self._tell()

    # ---- what people ask for ----

    async def command(self, command: str) -> str:
        """Has the kernel obey a command of the mailbox; returns its answer.

        Raises UsageError if no kernel that speaks IKC runs there, HangError if it does not answer.
        """
        name = self.partition.name
        if not (self.partition.alive and self.partition.speaks_ikc):
            raise UsageError(
                f"{name} cannot be asked: it is {self.partition.state}",
                f"`enclave restart {name}` boots it again",
            )
        life = self.partition.incarnation
        answer = await self._ask(command, self._deadlines.answer_s)
        if answer is None and not self._over(life):
            raise HangError(
                f"{name} did not answer `{command.lower()}` within {self._deadlines.answer_s:g} s",
                f"`enclave restart {name}` boots it again",
            )
        return answer or "DONE"

    async def kill(self) -> None:
        """SIGKILLs its QEMU, and returns when it is gone."""
        if self._machine is None or self._machine.pid is None:
            raise UsageError(f"no QEMU runs {self.partition.name}", "`enclave status` shows what runs")
        life = self.partition.incarnation
        self._machine.kill()
        await self._events.until(lambda: self._over(life))

    async def restart(self) -> None:
        """Ends its QEMU in whatever state it is, and starts another; returns when that one is BOOTING."""
        life = self.partition.incarnation
        self.partition.end("ended for a restart")
        self._tell()
        if self._machine is not None:
            await self._machine.end(self._deadlines.monitor_s)
        self._wanted.set()
        if not await self._events.until(lambda: self.partition.incarnation != life, self._deadlines.launch_s):
            raise EnclaveError(f"{self.partition.name} could not be started: {self.partition.reason}")

    async def shut_down(self) -> str:
        """Powers the kernel off if it can be asked to, and ends QEMU. Returns how that went, in words."""
        machine, partition = self._machine, self.partition
        if machine is None or machine.pid is None:
            return f"had ended: {partition.reason}"
        if partition.state is State.READY and partition.speaks_ikc:
            with suppress(EnclaveError):
                await self.command("SHUTDOWN")
                life = partition.incarnation
                await self._events.until(lambda: self._over(life), self._deadlines.shutdown_s)
        partition.end("power cut")
        how = await machine.end(self._deadlines.monitor_s)
        return "QEMU killed: it did not quit" if how == "killed" else partition.reason


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    return ours.enter_context(here), theirs.enter_context(there)
