# SPDX-License-Identifier: Apache-2.0
"""What the partitions share: the region, their memory, and the doorbells between them.

All of it is memfds and eventfds of this process, handed to QEMU as inherited descriptors: there is
nothing in /dev/shm, and nothing is left when the process dies. A partition's QEMU is connected by a
socketpair that already holds the whole conversation of an ivshmem server (QEMU docs/specs/
ivshmem-spec.rst, version 0), so that QEMU never waits for us while it makes the device.

Peer ids are the partitions' numbers and the monitor's, which comes after them. Ids and eventfds live
as long as the run. A partition that dies is never announced: QEMU frees the peer and writes to the freed
memory when the id comes back. Life and death are told in the region.

An eventfd goes from QEMU to QEMU, past this process, unless doorbells are interposed (doorbell_relay.py).
"""

import asyncio
import mmap
import os
import secrets
import socket
import struct
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from fcntl import F_ADD_SEALS, F_SEAL_GROW, F_SEAL_SHRINK, fcntl
from types import TracebackType

from orchestrator.doorbell_faults import Doorbell
from orchestrator.doorbell_relay import DoorbellRelay, OnFault
from orchestrator.errors import EnvironmentFault
from orchestrator.ikc import Identity, Region
from orchestrator.ikc_layout import Layout, region_size

PROTOCOL_VERSION = 0


class Fabric:
    """The shared things of one run; exists in a `with`, inside a running event loop.

    `memory` names the memfds of the partitions' RAM, with their sizes in bytes, and `hugepages` the size of
    the pages of those that are made of such; with `on_fault` doorbells are interposed. Raises
    EnvironmentFault if this computer has no room; nothing is left behind then.
    """

    def __init__(
        self,
        layout: Layout,
        identities: Sequence[Identity],
        memory: Mapping[str, int],
        on_fault: OnFault | None = None,
        hugepages: Mapping[str, int] | None = None,
    ) -> None:
        self.run_id = secrets.randbits(64)
        self.monitor_id = len(identities)
        self._vectors = layout.enums["ikc_vector"]["IKC_VECTORS"]
        self._loop = asyncio.get_running_loop()
        self._connections: dict[int, _Conversation] = {}
        with ExitStack() as stack, _told_in_words():
            size = region_size(layout, len(identities))
            self.region_fd = self._memfd(stack, "ikc-region", size)
            page_bytes = hugepages or {}
            self.memory_fds = {
                name: self._memfd(stack, name, length, page_bytes.get(name, 0))
                for name, length in memory.items()
            }
            self._doorbells = [
                [self._eventfd(stack) for _ in range(self._vectors)] for _ in range(len(identities) + 1)
            ]
            self.relay = DoorbellRelay(stack, self._doorbells, on_fault) if on_fault else None
            mapping = stack.enter_context(mmap.mmap(self.region_fd, size))
            self.region = Region(mapping, layout)
            stack.callback(self.region.close)
            self.region.format(identities, self.run_id)
            self._stack = stack.pop_all()

    @staticmethod
    def _memfd(stack: ExitStack, name: str, size: int, hugepage_bytes: int = 0) -> int:
        if size & (size - 1):
            # QEMU aborts when it makes a PCI BAR of another size.
            raise ValueError(f"{name}: {size} is no power of two")
        flags = os.MFD_CLOEXEC | os.MFD_ALLOW_SEALING
        if hugepage_bytes:
            # memfd_create(2): the logarithm of the size stands above the flags.
            flags |= os.MFD_HUGETLB | (hugepage_bytes.bit_length() - 1) << os.MFD_HUGE_SHIFT
        descriptor = os.memfd_create(name, flags)
        stack.callback(os.close, descriptor)
        os.ftruncate(descriptor, size)
        # A QEMU that went wrong cannot cut the file then and make our own accesses fail.
        fcntl(descriptor, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW)
        return descriptor

    @staticmethod
    def _eventfd(stack: ExitStack) -> int:
        descriptor = os.eventfd(0, os.EFD_CLOEXEC | os.EFD_NONBLOCK)
        stack.callback(os.close, descriptor)
        return descriptor

    def __enter__(self) -> "Fabric":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for conversation in self._connections.values():
            conversation.close()
        for descriptor in self._doorbells[self.monitor_id]:
            self._loop.remove_reader(descriptor)
        self._stack.close()

    def connect(self, partition: int) -> socket.socket:
        """The end of a connection for the ivshmem-doorbell of a partition's new QEMU; the caller closes it.

        Doorbells that were rung while nobody was there are forgotten.
        """
        old = self._connections.pop(partition, None)
        if old is not None:
            old.close()
        for descriptor in self._doorbells[partition]:
            _drain(descriptor)
        ours, theirs = socket.socketpair()
        self._connections[partition] = _Conversation(self._loop, ours, self._messages(partition))
        return theirs

    def _messages(self, partition: int) -> Iterator[tuple[int, int | None]]:
        """What an ivshmem server says to a new peer: numbers, some with a descriptor (None: without)."""
        yield PROTOCOL_VERSION, None
        yield partition, None
        yield -1, self.region_fd
        others = (peer for peer in range(len(self._doorbells)) if peer != partition)
        # Its own come last: they are what it listens to.
        for peer in (*others, partition):
            for vector, descriptor in enumerate(self._doorbells[peer]):
                if self.relay and peer != partition:
                    descriptor = self.relay.entry(Doorbell(partition, peer, vector))
                yield peer, descriptor

    def ring(self, peer: int, vector: int, source: int | None = None) -> None:
        """Rings a doorbell, of the monitor if no other `source` is given; it does not matter whether anybody
        is there."""
        if self.relay:
            source = self.monitor_id if source is None else source
            self.relay.ring(Doorbell(source, peer, vector))
            return
        with suppress(BlockingIOError):
            os.eventfd_write(self._doorbells[peer][vector], 1)

    def ring_every_vector(self, peer: int) -> None:
        """Has a partition look at everything."""
        for vector in range(self._vectors):
            self.ring(peer, vector)

    def ring_partitions(self, vector: int) -> None:
        for peer in range(self.monitor_id):
            self.ring(peer, vector)

    def on_doorbell(self, callback: Callable[[], None]) -> None:
        """Calls back from the event loop whenever a partition has rung the monitor."""
        for descriptor in self._doorbells[self.monitor_id]:
            self._loop.add_reader(descriptor, self._rung, descriptor, callback)

    @staticmethod
    def _rung(descriptor: int, callback: Callable[[], None]) -> None:
        _drain(descriptor)
        callback()

    def clear_memory(self, name: str) -> None:
        """Gives the pages of a dead partition back: its next life finds zeros, as after power-on."""
        descriptor = self.memory_fds[name]
        with mmap.mmap(descriptor, os.fstat(descriptor).st_size) as mapping:
            mapping.madvise(mmap.MADV_REMOVE)


class _Conversation:
    """Our end of one connection: sends its messages as fast as the socket takes them, then stays open."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        connection: socket.socket,
        messages: Iterator[tuple[int, int | None]],
    ) -> None:
        self._loop = loop
        self._socket = connection
        self._messages = deque(messages)
        connection.setblocking(False)
        loop.add_writer(connection, self._send)
        self._send()

    def _send(self) -> None:
        try:
            while self._messages:
                number, descriptor = self._messages[0]
                descriptors = [] if descriptor is None else [descriptor]
                socket.send_fds(self._socket, [struct.pack("<q", number)], descriptors)
                self._messages.popleft()
        except BlockingIOError:
            return
        except (BrokenPipeError, ConnectionResetError):
            pass  # QEMU died meanwhile; its machine tells
        self._loop.remove_writer(self._socket)

    def close(self) -> None:
        self._loop.remove_writer(self._socket)
        self._socket.close()


def _drain(descriptor: int) -> None:
    with suppress(BlockingIOError):
        os.eventfd_read(descriptor)


@contextmanager
def _told_in_words() -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise EnvironmentFault(
            f"cannot create the shared memory of the enclave: {error.strerror}",
            "see `enclave doctor` for room and limits",
        ) from error
