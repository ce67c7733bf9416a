# SPDX-License-Identifier: Apache-2.0
"""Keeps one partition: boots it, watches it, talks to its mailbox, and boots it again when asked to.

A keeper outlives the QEMUs that it starts. Whatever befalls its partition becomes a state with a reason;
nothing that it meets is raised to the others.
"""

import asyncio
import logging
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack, suppress

from orchestrator.console import Console
from orchestrator.crashes import Crashes
from orchestrator.deadlines import PROBE_EVERY_S, Deadlines
from orchestrator.debugger import Debugger
from orchestrator.errors import EnclaveError, HangError, UsageError
from orchestrator.events import Events
from orchestrator.fabric import Fabric
from orchestrator.kinds import KernelKind
from orchestrator.machine import Launch, Machine, MonitorLost, start_machine
from orchestrator.partition import Debugging, Fault, Partition, Reset, State
from orchestrator.run import RunFolder
from orchestrator.ssh_relay import SshPorts
from orchestrator.topology import Position

CONTROL_VECTOR = 0  # enum ikc_vector: IKC_VECTOR_CONTROL
DUMP_S = 600.0  # of all memory of a partition, to a slow disk
REAP_S = 1.0  # from the end of a monitor to the end of its QEMU
STEPS = ("STOP", "RESUME")  # each step of gdb makes one of each
# Given the numbers of the descriptors for monitor, serial line and fabric, and whether to wait for gdb.
Prepare = Callable[[int, int, int, bool], Launch]


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
        processors: Mapping[Position, int],
        run: RunFolder,
        wait_gdb: bool,
        crashes: Crashes,
        ssh_ports: SshPorts,
    ) -> None:
        self.partition = partition
        self.console = console
        self.ssh_port: int | None = None
        self.answer_s: float | None = None  # how long the kernel took to answer the last probe of this life
        self.launched: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self.begun = asyncio.Event()
        self._fabric = fabric
        self._memory = memory
        self._deadlines = deadlines
        self._events = events
        self._prepare = prepare
        self._processors = processors
        self._wait_gdb = wait_gdb
        self._gdb_socket = run.gdb_socket(partition.name)
        stub = run.gdb_stub_socket(partition.name)
        self.debugger = Debugger(partition, events, stub, deadlines.monitor_s)
        self._crashes = crashes
        self._ssh_ports = ssh_ports
        self._machine: Machine | None = None
        self._wanted = asyncio.Event()
        self._mailbox = asyncio.Lock()
        self._told = (partition.state, partition.reason, partition.incarnation)
        self._log = logging.getLogger(f"{__name__}.{partition.name}")

    @property
    def usable(self) -> bool:
        """READY, and if it runs Linux it is known how to reach it."""
        reachable = not self.partition.kernel.runs_linux or self.ssh_port is not None
        return self.partition.state is State.READY and reachable

    @property
    def in_gdb(self) -> bool:
        """Or waiting for it, with a QEMU that lets it come."""
        return self.partition.debugged and self.begun.is_set()

    @property
    def pid(self) -> int | None:
        return self._machine.pid if self._machine else None

    # ---- lives ----

    async def keep(self) -> None:
        """Life after life; the next begins when `restart` asks for it. Ends by being cancelled."""
        gdb_server = await asyncio.start_unix_server(self.debugger.serve, self._gdb_socket)
        try:
            await self._lives()
        finally:
            gdb_server.close()

    async def _lives(self) -> None:
        while True:
            try:
                await self._live()
            except EnclaveError as error:
                self._fail(error, error.message)
            except Exception as error:
                self._log.exception("this life ended by a fault of the supervisor")
                self._fail(error, f"the supervisor failed: {error}")
            self.begun.set()
            self._events.pulse()
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
        self.answer_s = None
        with ExitStack() as ours, ExitStack() as theirs:
            monitor, monitor_end = _pair(ours, theirs)
            serial, serial_end = _pair(ours, theirs)
            fabric_end = theirs.enter_context(self._fabric.connect(self.partition.index))
            if self.partition.incarnation:
                for name in self._memory:
                    self._fabric.clear_memory(name)
            self._begin()
            launch = self._prepare(
                monitor_end.fileno(), serial_end.fileno(), fabric_end.fileno(), self._wait_gdb
            )
            async with start_machine(launch, monitor) as machine:
                theirs.close()
                self._machine = self.debugger.machine = machine
                self._events.record(self.partition.name, "started", pid=machine.pid)
                if not self.launched.done():
                    self.launched.set_result(None)
                try:
                    self.partition.end(await self._watch(machine, serial), Fault.EXIT)
                finally:
                    self.debugger.leave()
                    self._ssh_ports.lead_nowhere(self.partition.index)

    def _begin(self, by_reset: bool = False) -> None:
        incarnation = self._fabric.region.begin_life(self.partition.index)
        self.partition.begin(incarnation, time.monotonic(), by_reset, self._wait_gdb and not by_reset)
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
            if self.partition.debugging is not Debugging.ATTACHED or event["event"] not in STEPS:
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
            self._events.record(self.partition.name, "answered")
            await machine.pin(self._processors, self._deadlines.monitor_s)
            self.begun.set()
            if self.partition.kernel.runs_linux:
                of_qemu = await machine.ssh_port(self._deadlines.monitor_s)
                self.ssh_port = self._ssh_ports.lead(self.partition.index, of_qemu)
                self._events.record(self.partition.name, "ssh", port=self.ssh_port)
        except MonitorLost as error:
            # A QEMU that ends closes its monitor first, and how it ended tells more.
            with suppress(TimeoutError):
                await asyncio.wait_for(machine.wait(), REAP_S)
                return
            self.partition.end(str(error), Fault.EXIT)
            machine.kill()
            return
        while True:
            await self._mind_life(self.partition.incarnation)

    async def _mind_life(self, life: int) -> None:
        partition, until = self.partition, self._events.until
        if partition.kernel is KernelKind.CUSTOM:
            await until(lambda: self._over(life) or partition.debugging is not Debugging.AWAITED)
            # It may never have heard of IKC: all that can be known is that QEMU runs it.
            partition.ready(time.monotonic())
            self._tell()
        if not await self._in_time(lambda: self._over(life) or partition.state is State.READY):
            partition.late(self._deadlines.ready_s, self.console.last_line)
            self._tell()
            await until(lambda: self._over(life) or partition.state is State.READY)
        while not self._over(life):
            await self._probe()
            await until(lambda: self._over(life), PROBE_EVERY_S)
        await until(lambda: partition.incarnation != life)

    async def _in_time(self, predicate: Callable[[], bool]) -> bool:
        """Whether it comes true within what a life may take to be READY; gdb makes all of that begin anew."""
        began, until = self.partition.began, self._events.until
        while True:
            left_s = began + self._deadlines.ready_s - time.monotonic()
            if not await until(lambda: predicate() or self.partition.debugged, left_s):
                return False
            if predicate():
                return True
            await until(lambda: predicate() or not self.partition.debugged)
            began = time.monotonic()

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
        if partition.fault is not None:
            # Before the others hear of it, and change their ends of the links.
            self._crashes.begin(partition, self._machine)
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
        partition = self.partition
        if not partition.speaks_ikc or partition.excused:
            return
        holds = partition.holds
        # Whatever doorbell was lost, what it was rung for is found now.
        self._fabric.ring_every_vector(partition.index)
        asked = time.monotonic()
        if await self._ask("PROBE", self._deadlines.answer_s) is not None:
            self.answer_s = time.monotonic() - asked
            partition.answer()
        elif partition.holds == holds:
            # Neither paused nor in a debugger meanwhile, which would explain it.
            partition.silent(self._deadlines.answer_s)
        self._tell()

    # ---- what people ask for ----

    async def cpu_threads(self, deadline_s: float) -> Mapping[Position, int]:
        """The thread of each CPU; none while there is no QEMU that answers."""
        if self._machine is not None and self._machine.pid is not None and self.begun.is_set():
            with suppress(MonitorLost):
                return await self._machine.cpu_threads(deadline_s)
        return {}

    async def command(self, command: str) -> str:
        """Has the kernel obey a command of the mailbox; returns its answer.

        Raises UsageError if no kernel that speaks IKC runs there, or one that does not know the command,
        HangError if it does not answer.
        """
        name = self.partition.name
        if self.partition.debugging is Debugging.AWAITED:
            raise UsageError(f"{name} cannot be asked: it waits for gdb", f"`enclave gdb {name}`, `continue`")
        self._require_not_stopped()
        if not (self.partition.alive and self.partition.speaks_ikc):
            raise UsageError(
                f"{name} cannot be asked: it is {self.partition.state}",
                f"`enclave restart {name}` boots it again",
            )
        if self.partition.held:
            raise UsageError(f"{name} cannot be asked: it is paused", f"`enclave fault continue {name}`")
        life = self.partition.incarnation
        answer = await self._ask(command, self._deadlines.answer_s)
        if answer is None and not self._over(life):
            self._require_not_stopped()
            raise HangError(
                f"{name} did not answer `{command.lower()}` within {self._deadlines.answer_s:g} s",
                f"`enclave restart {name}` boots it again",
            )
        if answer == "UNKNOWN":
            raise UsageError(
                f"the kernel of {name} does not know the command `{command.lower()}`",
                f"`enclave fault kill {name}` needs no kernel's help",
            )
        return answer or "DONE"

    def _require_not_stopped(self) -> None:
        if self.partition.stopped_by_debugger:
            raise UsageError(
                f"{self.partition.name} cannot be asked: it is stopped by the debugger",
                "`continue` or `detach` in gdb lets it run",
            )

    def _require_no_debugger(self) -> None:
        if self.partition.debugging is Debugging.ATTACHED:
            raise UsageError(
                f"{self.partition.name} is in gdb (process {self.debugger.pid})",
                "stop it and let it run there, or `detach` first",
            )

    async def kill(self) -> None:
        """SIGKILLs its QEMU, and returns when it is gone."""
        machine, partition = self._machine, self.partition
        if machine is None or machine.pid is None:
            raise UsageError(f"no QEMU runs {partition.name}", "`enclave status` shows what runs")
        life = partition.incarnation
        machine.kill()
        await machine.wait()
        await self._events.until(lambda: partition.state is State.EXITED or partition.incarnation != life)

    async def pause(self) -> None:
        """Stops its CPUs; nobody expects answers of it until it is resumed."""
        if self.partition.ready_s is None or not self.partition.alive:
            name = self.partition.name
            raise UsageError(
                f"{name} cannot be paused: it is {self.partition.state}", "wait until it is READY"
            )
        self._require_no_debugger()
        self.partition.hold()
        try:
            await self._run("stop")
        except EnclaveError:
            self.partition.release()
            raise

    async def resume(self) -> None:
        """Lets its CPUs run on, whoever stopped them."""
        if not self.partition.alive:
            name = self.partition.name
            raise UsageError(
                f"{name} cannot run on: it is {self.partition.state}",
                f"`enclave restart {name}` boots it again",
            )
        self._require_no_debugger()
        await self._run("cont")
        self.partition.release()
        self._events.pulse()

    async def dump(self, file: str) -> None:
        """Has QEMU write memory and registers into a file; the CPUs stand still meanwhile."""
        machine, partition = self._machine, self.partition
        if machine is None or machine.pid is None:
            raise UsageError(
                f"no QEMU runs {partition.name}: its memory went with it", "`enclave crash` has what was kept"
            )
        was_held = partition.held
        partition.hold()
        try:
            what = {"paging": True, "protocol": f"file:{file}"}
            await machine.execute("dump-guest-memory", DUMP_S, **what)
        except MonitorLost as error:
            raise EnclaveError(
                f"{partition.name}: {error}", "is there room for all of its memory?"
            ) from error
        finally:
            if not was_held:
                partition.release()

    async def _run(self, command: str) -> None:
        if self._machine is None:
            raise UsageError(f"no QEMU runs {self.partition.name}", "`enclave status` shows what runs")
        try:
            await self._machine.execute(command, self._deadlines.monitor_s)
        except MonitorLost as error:
            raise EnclaveError(
                f"{self.partition.name}: {error}", "`enclave status` tells how it is now"
            ) from error

    async def restart(self, wait_gdb: bool) -> None:
        """Ends its QEMU in whatever state it is, and starts another, which may wait for gdb before its first
        instruction; returns when that one is BOOTING."""
        life = self.partition.incarnation
        self.partition.end("ended for a restart")
        self._tell()
        # What is known of its end is in its memory and its QEMU, and both go now.
        await self._crashes.taken(self.partition.index)
        if self._machine is not None:
            await self._machine.end(self._deadlines.monitor_s)
        self._wait_gdb = wait_gdb
        self._wanted.set()
        if not await self._events.until(lambda: self.partition.incarnation != life, self._deadlines.launch_s):
            raise EnclaveError(
                f"{self.partition.name} could not be started: {self.partition.reason}",
                "`enclave doctor` tells whether QEMU runs here",
            )

    async def shut_down(self) -> str:
        """Powers the kernel off if it can be asked to, and ends QEMU. Returns how that went, in words."""
        machine, partition = self._machine, self.partition
        await self._crashes.taken(partition.index)
        if machine is None or machine.pid is None:
            return f"had ended: {partition.reason}"
        await self.debugger.end()
        if partition.state is State.READY and partition.speaks_ikc:
            with suppress(EnclaveError):
                if partition.held:
                    await self.resume()
                await self.command("SHUTDOWN")
                life = partition.incarnation
                await self._events.until(lambda: self._over(life), self._deadlines.shutdown_s)
        partition.end("power cut")
        how = await machine.end(self._deadlines.monitor_s)
        return "QEMU killed: it did not quit" if how == "killed" else partition.reason


def _pair(ours: ExitStack, theirs: ExitStack) -> tuple[socket.socket, socket.socket]:
    here, there = socket.socketpair()
    return ours.enter_context(here), theirs.enter_context(there)
