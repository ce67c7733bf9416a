# SPDX-License-Identifier: Apache-2.0
"""A machine's life against a fake QEMU: what it says of its end, and that nothing survives its scope."""

import asyncio
import os
import socket
import sys
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from orchestrator.errors import EnvironmentFault
from orchestrator.machine import Launch, Machine, MonitorLost, start_machine

FAKE_QEMU = "tests.unit.fake_qemu"


def runs(pid: int | None) -> bool:
    return pid is not None and Path(f"/proc/{pid}").exists()


class Scene:
    """Starts fake QEMUs whose files are in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    @asynccontextmanager
    async def machine(self, mood: str = "") -> AsyncIterator[Machine]:
        ours, theirs = socket.socketpair()
        monitor = f"socket,id=qmp,fd={theirs.fileno()}"
        command = [sys.executable, "-m", FAKE_QEMU, "-chardev", monitor, "-append", mood]
        launch = Launch("lwk0", command, [theirs.fileno()], self.folder / "stderr")
        async with start_machine(launch, ours) as machine:
            theirs.close()
            yield machine

    def play(self, scene: Coroutine[None, None, None]) -> None:
        asyncio.run(asyncio.wait_for(scene, 30))


@pytest.fixture
def scene(tmp_path: Path) -> Scene:
    return Scene(tmp_path)


async def do(machine: Machine, **what: object) -> None:
    await machine.execute("x-do", 5, **what)


def test_leaving_the_scope_ends_and_reaps_qemu(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine() as machine:
            await machine.connect(10)
            pid = machine.pid
            assert runs(pid)
        assert machine.pid is None
        assert not runs(pid)

    scene.play(play())


def test_a_failure_inside_the_scope_ends_qemu_too(scene: Scene) -> None:
    async def play() -> None:
        pids = []

        async def fail() -> None:
            async with scene.machine() as machine:
                pids.append(machine.pid)
                raise ZeroDivisionError

        with pytest.raises(ZeroDivisionError):
            await fail()
        assert pids
        assert not runs(pids[0])

    scene.play(play())


def test_kill_is_told_by_its_signal(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine() as machine:
            await machine.connect(10)
            machine.kill()
            assert await machine.wait() == "QEMU was killed by signal 9 (SIGKILL)"

    scene.play(play())


def test_exit_status_comes_with_the_last_words(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine() as machine:
            await machine.connect(10)
            with pytest.raises(MonitorLost):
                await do(machine, exit=3, say="no such device")
            assert await machine.wait() == "QEMU exited with status 3: no such device"

    scene.play(play())


def test_qemu_that_stays_silent_is_given_up(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine("mute") as machine:
            with pytest.raises(MonitorLost, match=r"did not answer its monitor within 0\.3 s"):
                await machine.connect(0.3)

    scene.play(play())


def test_qemu_that_dies_before_it_answers_is_told(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine("mute") as machine:
            machine.kill()
            with pytest.raises(MonitorLost, match="closed its monitor"):
                await machine.connect(10)

    scene.play(play())


def test_a_program_that_is_not_there_is_the_computers_fault(tmp_path: Path) -> None:
    async def play() -> None:
        ours, theirs = socket.socketpair()
        with ours, theirs, pytest.raises(EnvironmentFault, match="/nowhere/qemu is not installed"):
            async with start_machine(Launch("x", ["/nowhere/qemu"], [], tmp_path / "stderr"), ours):
                pass

    asyncio.run(play())


def test_events_come_in_order_and_to_the_last(scene: Scene) -> None:
    async def play() -> None:
        seen: list[str] = []

        async def watch() -> None:
            async for event in machine.events():
                seen.append(event["event"])

        async with scene.machine() as machine:
            await machine.connect(10)
            watching = asyncio.create_task(watch())
            await do(machine, event="STOP")
            await do(machine, event="RTC_CHANGE")
            await do(machine, event="RESUME")
            assert await machine.end(10) == "quit"
            await watching
        assert seen == ["STOP", "RTC_CHANGE", "RESUME", "SHUTDOWN"]

    scene.play(play())


def test_last_events_of_a_qemu_that_is_gone_are_not_lost(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine() as machine:
            await machine.connect(10)
            sent = ["STOP", "RESUME", "GUEST_PANICKED"]
            asking = [do(machine, event=name, exit=1 if name == sent[-1] else -1) for name in sent]
            asked = asyncio.gather(*asking, return_exceptions=True)
            await asyncio.sleep(0)
            await asyncio.sleep(0)
            # Here everything stands still: the events and the end come to light at once.
            assert machine.pid is not None
            os.waitid(os.P_PID, machine.pid, os.WEXITED | os.WNOWAIT)  # noqa: ASYNC222
            assert [event["event"] async for event in machine.events()] == sent
            await asked

    scene.play(play())


def test_end_kills_what_does_not_quit(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine("deaf") as machine:
            await machine.connect(10)
            assert await machine.end(0.2) == "killed"
            assert await machine.end(0.2) == "gone"

    scene.play(play())


def test_port_of_ssh_is_what_qemu_chose(scene: Scene) -> None:
    async def play() -> None:
        async with scene.machine() as machine:
            await machine.connect(10)
            assert await machine.ssh_port(5) == 40713

    scene.play(play())


def test_no_descriptor_stays_open(scene: Scene) -> None:
    async def play() -> None:
        before = set(os.listdir("/proc/self/fd"))
        async with scene.machine() as machine:
            await machine.connect(10)
        assert set(os.listdir("/proc/self/fd")) == before

    scene.play(play())


def test_qemu_dies_with_its_parent(tmp_path: Path) -> None:
    """In a process of its own, which is killed as the supervisor may be."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(read)

        async def play() -> None:
            async with Scene(tmp_path).machine() as machine:
                await machine.connect(60)
                os.write(write, f"{machine.pid}\n".encode())
                await asyncio.sleep(60)

        try:
            asyncio.run(play())
        finally:
            os._exit(1)
    os.close(write)
    with os.fdopen(read) as told:
        pid = int(told.readline())
    assert runs(pid)
    qemu = os.pidfd_open(pid)
    os.kill(child, 9)
    os.waitpid(child, 0)

    async def gone() -> None:
        ended = asyncio.Event()
        asyncio.get_running_loop().add_reader(qemu, ended.set)
        await asyncio.wait_for(ended.wait(), 10)

    asyncio.run(gone())
    os.close(qemu)
