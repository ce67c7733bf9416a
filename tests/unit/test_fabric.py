# SPDX-License-Identifier: Apache-2.0
"""The fabric as a QEMU sees it: a socket full of numbers and descriptors, and doorbells that ring."""

import array
import asyncio
import mmap
import os
import resource
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.errors import EnvironmentFault
from orchestrator.fabric import Fabric
from orchestrator.ikc import Identity
from orchestrator.ikc_layout import Layout
from orchestrator.qemu_command import VECTORS


def identities(count: int) -> list[Identity]:
    return [Identity(f"p{i}", "LWK", i == 0, 1, ()) for i in range(count)]


class Peer:
    """Does what QEMU's ivshmem-doorbell does with its chardev (hw/misc/ivshmem.c)."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.messages: list[tuple[int, int | None]] = []
        connection.setblocking(False)

    def read(self) -> None:
        """Takes every message that is there now."""
        while True:
            try:
                data, ancillary, _, _ = self.connection.recvmsg(8, socket.CMSG_SPACE(4))
            except BlockingIOError:
                return
            descriptors = array.array("i")
            for _, _, payload in ancillary:
                descriptors.frombytes(payload)
            self.messages.append((struct.unpack("<q", data)[0], descriptors[0] if descriptors else None))

    def doorbell(self, peer: int, vector: int) -> int:
        return [fd for number, fd in self.messages[3:] if number == peer and fd is not None][vector]

    def close(self) -> None:
        for _, descriptor in self.messages:
            if descriptor is not None:
                os.close(descriptor)
        self.connection.close()


@contextmanager
def connected(fabric: Fabric, partition: int) -> Iterator[Peer]:
    peer = Peer(fabric.connect(partition))
    try:
        peer.read()
        yield peer
    finally:
        peer.close()


def rung(descriptor: int) -> bool:
    try:
        return os.eventfd_read(descriptor) > 0
    except BlockingIOError:
        return False


def open_files() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_the_whole_conversation_is_there_before_qemu_starts(layout: Layout) -> None:
    async def scene() -> None:
        with Fabric(layout, identities(3), {}) as fabric, connected(fabric, 1) as peer:
            peers = [peer for peer in (0, 2, 3, 1) for _ in range(VECTORS)]
            assert [number for number, _ in peer.messages] == [0, 1, -1, *peers]
            assert [fd is not None for _, fd in peer.messages] == [False, False, True] + [True] * len(peers)
            region = peer.messages[2][1]
            assert region is not None
            with mmap.mmap(region, 0) as mapping:
                assert len(mapping) & (len(mapping) - 1) == 0
                assert mapping[:4] == b"IKC1"

    asyncio.run(scene())


def test_each_doorbell_rings_its_peer_and_vector_alone(layout: Layout) -> None:
    async def scene() -> None:
        with (
            Fabric(layout, identities(2), {}) as fabric,
            connected(fabric, 0) as host,
            connected(fabric, 1) as lwk,
        ):
            own = [lwk.doorbell(1, 0), lwk.doorbell(1, 1)]
            os.eventfd_write(host.doorbell(1, 1), 1)
            assert [rung(fd) for fd in own] == [False, True]
            fabric.ring(1, 0)
            assert [rung(fd) for fd in own] == [True, False]
            fabric.ring_partitions(0)
            assert [rung(fd) for fd in (*own, host.doorbell(0, 0), host.doorbell(0, 1))] == [
                True,
                False,
                True,
                False,
            ]

    asyncio.run(scene())


def test_partitions_ring_the_monitor(layout: Layout) -> None:
    async def scene() -> None:
        heard = asyncio.Event()
        with Fabric(layout, identities(2), {}) as fabric, connected(fabric, 1) as lwk:
            fabric.on_doorbell(heard.set)
            os.eventfd_write(lwk.doorbell(fabric.monitor_id, 0), 1)
            await asyncio.wait_for(heard.wait(), 5)

    asyncio.run(scene())


def test_a_restarted_partition_gets_its_doorbells_back_silent_and_nobody_is_told(layout: Layout) -> None:
    async def scene() -> None:
        with Fabric(layout, identities(2), {}) as fabric, connected(fabric, 0) as host:
            with connected(fabric, 1):
                pass
            os.eventfd_write(host.doorbell(1, 0), 1)
            with connected(fabric, 1) as again:
                assert [number for number, _ in again.messages[:3]] == [0, 1, -1]
                assert not rung(again.doorbell(1, 0))
                os.eventfd_write(host.doorbell(1, 0), 1)
                assert rung(again.doorbell(1, 0))
            told = len(host.messages)
            host.read()
            assert len(host.messages) == told

    asyncio.run(scene())


def test_a_conversation_longer_than_the_socket_holds_goes_on_as_qemu_reads(
    layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    def small_pair() -> tuple[socket.socket, socket.socket]:
        ours, theirs = pair()
        ours.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 4096)
        return ours, theirs

    pair = socket.socketpair
    expected = 3 + VECTORS * 65

    async def scene() -> None:
        monkeypatch.setattr("orchestrator.fabric.socket.socketpair", small_pair)
        with Fabric(layout, identities(64), {}) as fabric, connected(fabric, 5) as peer:
            assert len(peer.messages) < expected
            async with asyncio.timeout(5):
                while len(peer.messages) < expected:
                    await asyncio.sleep(0)
                    peer.read()
            assert peer.messages[-1][0] == 5

    # asyncio makes a socketpair of its own before the scene begins.
    asyncio.run(scene())


def test_memory_cannot_be_cut_and_is_zero_again_after_a_life(layout: Layout) -> None:
    async def scene() -> None:
        with Fabric(layout, identities(2), {"lwk0-0": 1 << 20}) as fabric:
            descriptor = fabric.memory_fds["lwk0-0"]
            with pytest.raises(PermissionError):
                os.ftruncate(descriptor, 4096)
            with mmap.mmap(descriptor, 1 << 20) as window:
                window[4096:4100] = b"data"
                fabric.clear_memory("lwk0-0")
                assert window[4096:4100] == bytes(4)

    asyncio.run(scene())


@pytest.mark.skipif(
    not Path("/sys/kernel/mm/hugepages/hugepages-2048kB").exists(), reason="no hugepages of 2M"
)
def test_memory_is_of_the_pages_that_it_is_asked_to_be_of(layout: Layout) -> None:
    async def scene() -> None:
        memory = {"lwk0-0": 1 << 25, "lwk1-0": 1 << 25}
        with Fabric(layout, identities(2), memory, hugepages={"lwk1-0": 2 << 20}) as fabric:
            sizes = {name: os.fstat(descriptor).st_blksize for name, descriptor in fabric.memory_fds.items()}
        assert sizes == {"lwk0-0": mmap.PAGESIZE, "lwk1-0": 2 << 20}

    asyncio.run(scene())


def test_nothing_stays_open(layout: Layout) -> None:
    async def scene() -> None:
        before = open_files()
        with Fabric(layout, identities(2), {"lwk0-0": 1 << 20}) as fabric, connected(fabric, 1):
            fabric.on_doorbell(lambda: None)
        assert open_files() == before

    asyncio.run(scene())


def test_too_few_descriptors_are_told_in_words_and_nothing_stays_open(layout: Layout) -> None:
    async def scene() -> None:
        before = open_files()
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (before + 20, hard))
        try:
            with pytest.raises(EnvironmentFault, match="Too many open files"):
                Fabric(layout, identities(40), {})
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert open_files() == before

    asyncio.run(scene())
