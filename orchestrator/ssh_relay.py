# SPDX-License-Identifier: Apache-2.0
"""Between SSH clients and QEMU: acknowledges at once what a client sends.

OpenSSH's client does without TCP_NODELAY until its command runs, so its kernel holds each small message back
until the one before was acknowledged. To two of them nothing is answered, and then the kernel of QEMU's end
acknowledges after 40 ms: a connection would take 80 ms longer than its work.

The relay is the guardian's, who has nothing else to do and lives as long as the run; the supervisor tells it
where the QEMUs listen. A supervisor that is stopped stops no connection.
"""

import asyncio
import logging
import socket
import struct
from collections.abc import Collection, Mapping
from contextlib import suppress

HOST = "127.0.0.1"
CHUNK_BYTES = 1 << 16
CONNECTIONS_MAX = 128  # at once; whoever comes then is turned away
CONNECT_DEADLINE_S = 5.0
PAUSE_S = 1.0  # after what made it impossible to take a connection
_TARGET = struct.Struct("<HH")  # the number of a partition, and the port of its QEMU; 0: there is none

log = logging.getLogger(__name__)


class SshPorts:
    """What the supervisor has of the relay: the ports for people, by the number of a Linux partition."""

    def __init__(self, ports: Mapping[int, int], relay: socket.socket) -> None:
        self._ports = ports
        self._relay = relay

    def lead(self, partition: int, port: int) -> int:
        """Leads to this port of a QEMU from now on; returns the port to which people connect."""
        self._tell(partition, port)
        return self._ports[partition]

    def lead_nowhere(self, partition: int) -> None:
        """Who connects from now on is turned away; nobody could, if it runs no Linux."""
        if partition in self._ports:
            self._tell(partition, 0)

    def close(self) -> None:
        self._relay.close()

    def _tell(self, partition: int, port: int) -> None:
        with suppress(OSError):  # the guardian is gone, and we are about to be told
            self._relay.send(_TARGET.pack(partition, port))


class SshRelay:
    """Listens on a port for each of the partitions `numbers`. Made before the fork; afterwards one process
    has `run` and the other keeps `ports` and has `close`."""

    def __init__(self, numbers: Collection[int]) -> None:
        self._told, supervisors = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listeners = {number: socket.create_server((HOST, 0)) for number in numbers}
        ports = {number: listener.getsockname()[1] for number, listener in self._listeners.items()}
        self.ports = SshPorts(ports, supervisors)
        self._targets = dict.fromkeys(numbers, 0)
        self._connections: set[asyncio.Task[None]] = set()

    def close(self) -> None:
        self._told.close()
        for listener in self._listeners.values():
            listener.close()

    def run(self, until: int) -> None:
        """Relays until the descriptor `until` can be read."""
        asyncio.run(self._run(until))

    async def _run(self, until: int) -> None:
        loop = asyncio.get_running_loop()
        over = asyncio.Event()
        loop.add_reader(until, over.set)
        self._told.setblocking(False)
        loop.add_reader(self._told, self._take_targets)
        doors = [asyncio.create_task(self._keep_door(number)) for number in self._listeners]
        await over.wait()
        for task in (*doors, *self._connections):
            task.cancel()

    def _take_targets(self) -> None:
        """What the supervisor said before a client came counts for that client."""
        with suppress(BlockingIOError):
            while told := self._told.recv(_TARGET.size):
                number, port = _TARGET.unpack(told)
                self._targets[number] = port
            asyncio.get_running_loop().remove_reader(self._told)  # the supervisor is gone

    async def _keep_door(self, number: int) -> None:
        listener = self._listeners[number]
        listener.setblocking(False)
        while True:
            try:
                client, _ = await asyncio.get_running_loop().sock_accept(listener)
            except OSError as error:
                log.warning("nobody can come in for SSH: %s", error)
                await asyncio.sleep(PAUSE_S)
                continue
            self._take_targets()
            target = self._targets[number]
            if target and len(self._connections) < CONNECTIONS_MAX:
                connection = asyncio.create_task(_relay(client, target))
                self._connections.add(connection)
                connection.add_done_callback(self._connections.discard)
            else:
                client.close()


async def _relay(client: socket.socket, port: int) -> None:
    """Both ways, until both ends have said all or one has broken off."""
    with client, socket.socket() as qemu:
        for end in (client, qemu):
            end.setblocking(False)
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        try:
            async with asyncio.timeout(CONNECT_DEADLINE_S):
                await asyncio.get_running_loop().sock_connect(qemu, (HOST, port))
            # Each way has let go of its socket when the group ends, and only then it is closed.
            async with asyncio.TaskGroup() as ways:
                ways.create_task(_pass_on(client, qemu))
                ways.create_task(_pass_on(qemu, client))
        except* OSError:
            pass


async def _pass_on(source: socket.socket, sink: socket.socket) -> None:
    loop = asyncio.get_running_loop()
    while data := await loop.sock_recv(source, CHUNK_BYTES):
        # Not a state of the socket, but an order: acknowledge what has come.
        source.setsockopt(socket.IPPROTO_TCP, socket.TCP_QUICKACK, 1)
        await loop.sock_sendall(sink, data)
    sink.shutdown(socket.SHUT_WR)
