# SPDX-License-Identifier: Apache-2.0
"""The relay between SSH clients and QEMU, with a socket of this process in place of QEMU's."""

import os
import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from orchestrator.ssh_relay import CONNECTIONS_MAX, HOST, SshPorts, SshRelay

LINUX, OTHER_LINUX, LWK = 0, 2, 1
PATIENCE_S = 30.0
UNACKNOWLEDGED = slice(24, 28)  # segments: tcpi_unacked of struct tcp_info, linux/tcp.h


@pytest.fixture
def ports() -> Iterator[SshPorts]:
    relay = SshRelay([LINUX, OTHER_LINUX])
    over = os.eventfd(0)
    running = threading.Thread(target=relay.run, args=(over,))
    running.start()
    yield relay.ports
    os.eventfd_write(over, 1)
    running.join(PATIENCE_S)
    assert not running.is_alive()
    relay.ports.close()
    relay.close()
    os.close(over)


@pytest.fixture
def qemu() -> Iterator[socket.socket]:
    with socket.create_server((HOST, 0)) as listener:
        listener.settimeout(PATIENCE_S)
        yield listener


def connect(port: int) -> socket.socket:
    return socket.create_connection((HOST, port), PATIENCE_S)


def accept(listener: socket.socket) -> socket.socket:
    connection, _ = listener.accept()
    connection.settimeout(PATIENCE_S)
    return connection


def lead(ports: SshPorts, partition: int, qemu: socket.socket) -> int:
    return ports.lead(partition, qemu.getsockname()[1])


def is_turned_away(port: int) -> bool:
    with connect(port) as client:
        try:
            return client.recv(1) == b""
        except ConnectionResetError:
            return True


def test_bytes_go_both_ways_and_each_end_may_stop_first(ports: SshPorts, qemu: socket.socket) -> None:
    much = os.urandom(1 << 22)
    with connect(lead(ports, LINUX, qemu)) as client, accept(qemu) as server:

        def send() -> None:
            client.sendall(much)
            client.shutdown(socket.SHUT_WR)

        sender = threading.Thread(target=send)
        sender.start()
        with server.makefile("rb") as received:
            assert received.read() == much
        sender.join()
        server.sendall(b"goodbye")
        server.close()
        assert client.recv(100, socket.MSG_WAITALL) == b"goodbye"


def test_what_a_client_sends_is_acknowledged_before_it_is_answered(
    ports: SshPorts, qemu: socket.socket
) -> None:
    with connect(lead(ports, LINUX, qemu)) as client, accept(qemu) as server:
        # A conversation: from here on the kernel would wait for an answer to send the acknowledgement with.
        for _ in range(4):
            client.sendall(b"ask")
            assert server.recv(100) == b"ask"
            server.sendall(b"answer")
            assert client.recv(100) == b"answer"
        client.sendall(b"said")
        assert server.recv(100) == b"said"
        told = client.getsockopt(socket.IPPROTO_TCP, socket.TCP_INFO, UNACKNOWLEDGED.stop)
        assert struct.unpack("I", told[UNACKNOWLEDGED]) == (0,)


def test_each_partition_has_a_port_of_its_own(ports: SshPorts, qemu: socket.socket) -> None:
    with socket.create_server((HOST, 0)) as other:
        other.settimeout(PATIENCE_S)
        led = [lead(ports, LINUX, qemu), lead(ports, OTHER_LINUX, other)]
        for port, listener in zip(led, (qemu, other), strict=True):
            with connect(port) as client, accept(listener) as server:
                server.sendall(b"hello")
                assert client.recv(5, socket.MSG_WAITALL) == b"hello"


def test_without_a_qemu_clients_are_turned_away(ports: SshPorts, qemu: socket.socket) -> None:
    port = lead(ports, LINUX, qemu)
    ports.lead_nowhere(LWK)  # which has no port
    ports.lead_nowhere(LINUX)
    assert is_turned_away(port)
    # One that does not listen any more, before anybody has said so.
    with socket.create_server((HOST, 0)) as gone:
        ports.lead(LINUX, gone.getsockname()[1])
    assert is_turned_away(port)
    # A restarted partition is reached by the same port.
    assert lead(ports, LINUX, qemu) == port
    with connect(port) as client, accept(qemu) as server:
        client.sendall(b"again")
        assert server.recv(100) == b"again"


def test_who_breaks_off_takes_the_other_end_along(ports: SshPorts, qemu: socket.socket) -> None:
    port = lead(ports, LINUX, qemu)
    with connect(port) as client, accept(qemu) as server:
        server.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        server.close()
        assert client.recv(1) == b""
    client = connect(port)
    with accept(qemu) as server:
        client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        client.close()
        assert server.recv(1) == b""


def test_connections_are_limited(ports: SshPorts, qemu: socket.socket) -> None:
    port = lead(ports, LINUX, qemu)
    with ExitStack() as ends:
        for _ in range(CONNECTIONS_MAX):
            ends.enter_context(connect(port))
            ends.enter_context(accept(qemu))
        assert is_turned_away(port)
