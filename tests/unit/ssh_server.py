# SPDX-License-Identifier: Apache-2.0
"""An SSH server in this process that runs commands on this computer, in place of a host's dropbear."""

import os
import socket
import subprocess
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial
from pathlib import Path

import paramiko
from paramiko.common import AUTH_FAILED, AUTH_SUCCESSFUL, OPEN_SUCCEEDED

from orchestrator import ssh_keys
from orchestrator.ssh import CHUNK_BYTES, Endpoint


class _Policy(paramiko.ServerInterface):
    def __init__(self, user_key: str) -> None:
        self._user_key = user_key

    def get_allowed_auths(self, username: str) -> str:
        return "publickey"

    def check_auth_publickey(self, username: str, key: paramiko.PKey) -> int:
        known = f"{key.get_name()} {key.get_base64()}" == self._user_key
        return AUTH_SUCCESSFUL if known else AUTH_FAILED

    def check_channel_request(self, kind: str, chanid: int) -> int:
        return OPEN_SUCCEEDED

    def check_channel_exec_request(self, channel: paramiko.Channel, command: bytes) -> bool:
        threading.Thread(target=_serve_command, args=(channel, command), daemon=True).start()
        return True


def _serve_command(channel: paramiko.Channel, command: bytes) -> None:
    with subprocess.Popen(
        ["sh", "-c", command], stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    ) as child:
        assert child.stdin
        assert child.stdout
        assert child.stderr
        pumps = [
            threading.Thread(target=_pump, args=(partial(os.read, pipe.fileno(), CHUNK_BYTES), send))
            for pipe, send in ((child.stdout, channel.sendall), (child.stderr, channel.sendall_stderr))
        ]
        for pump in pumps:
            pump.start()
        _pump(partial(channel.recv, CHUNK_BYTES), partial(os.write, child.stdin.fileno()))
        child.stdin.close()
        for pump in pumps:
            pump.join()
        with suppress(OSError, EOFError):  # nobody waits for it any more
            channel.send_exit_status(child.wait())
        channel.close()


def _pump(read: Callable[[], bytes], write: Callable[[bytes], object]) -> None:
    with suppress(OSError):
        while data := read():
            write(data)


class SshServer:
    """Listens on a free port, closing the first `drop_first` connections; `endpoint` is how to reach it."""

    def __init__(self, folder: Path, drop_first: int = 0) -> None:
        keys = ssh_keys.generate()
        self._policy = _Policy(keys.user_public)
        self._host_key = paramiko.Ed25519Key.from_private_key_file(str(_host_key_file(folder)))
        self._drop = drop_first
        self._transports: list[paramiko.Transport] = []
        self._listener = socket.create_server(("127.0.0.1", 0))
        ssh_keys.write_private(folder / "id", keys.user_private)
        (folder / "known_hosts").write_text(f"* {self._host_key.get_name()} {self._host_key.get_base64()}\n")
        port = self._listener.getsockname()[1]
        self.endpoint = Endpoint("host", "127.0.0.1", port, "root", folder / "id", folder / "known_hosts")
        self._thread = threading.Thread(target=self._accept, daemon=True)
        self._thread.start()

    def _accept(self) -> None:
        while True:
            try:
                wire, _ = self._listener.accept()
            except OSError:
                return
            if self._drop > 0:
                self._drop -= 1
                wire.close()
                continue
            transport = paramiko.Transport(wire)
            transport.add_server_key(self._host_key)
            transport.start_server(server=self._policy, event=threading.Event())
            self._transports.append(transport)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        for transport in self._transports:
            transport.close()


def _host_key_file(folder: Path) -> Path:
    path = folder / "host_key"
    ssh_keys.write_private(path, ssh_keys.generate().user_private)
    return path
