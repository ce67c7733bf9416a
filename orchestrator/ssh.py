# SPDX-License-Identifier: Apache-2.0
"""Commands, files and a shell in a Linux partition, over SSH with the keys of this very run."""

import os
import shlex
import socket
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType, TracebackType
from typing import IO, TYPE_CHECKING, Any, Self

from orchestrator import terminal
from orchestrator.errors import DeadlineError, EnclaveError, UsageError
from orchestrator.kinds import KernelKind

if TYPE_CHECKING:
    import paramiko

CONNECT_DEADLINE_S = 30.0
_LOOK = "look there: enclave ssh -p {}"
RETRY_PAUSE_S = 0.05
CHUNK_BYTES = 65536
END_DEADLINE_S = 5.0
# The environment of a process tells whose command it belongs to, however far it is from the first one.
_MARK = "ENCLAVE_COMMAND"
_END = """for each in $(grep -ls {} /proc/[0-9]*/environ); do
each=${{each%/environ}}; kill -TERM "${{each#/proc/}}" 2>/dev/null; done"""


class SshError(EnclaveError):
    """The partition's SSH server refused, broke off, or is not the one of this run."""


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a Linux partition answers, and the two files of the run folder that prove who is who."""

    partition: str
    host: str
    port: int
    user: str
    key: Path
    known_hosts: Path

    @classmethod
    def of_partition(cls, partition: dict[str, Any]) -> "Endpoint":
        """From a partition's part of the status; raises SshError while it is not up."""
        name, ssh = partition["name"], partition.get("ssh")
        if not KernelKind(partition["kernel"]).runs_linux:
            raise UsageError(f"{name} runs no Linux: there is nothing to execute a command", "use the host")
        if not ssh:
            raise SshError(f"{name} has no SSH address yet", "see its state with: enclave status")
        return cls(name, ssh["host"], ssh["port"], ssh["user"], Path(ssh["key"]), Path(ssh["known_hosts"]))


@dataclass(frozen=True, slots=True)
class Completed:
    """What a command left: its exit status (128 + n when signal n ended it) and all that it wrote."""

    status: int
    stdout: bytes
    stderr: bytes

    @property
    def text(self) -> str:
        return self.stdout.decode(errors="replace")

    @property
    def complaint(self) -> str:
        return self.stderr.decode(errors="replace").strip()


def shell_command(argv: tuple[str, ...]) -> str:
    """One line for the guest's shell that runs exactly `argv`.

    The shell stays behind the command to turn a death by signal into 128 + n: paramiko does not tell of
    an SSH "exit-signal" (RFC 4254, 6.10).
    """
    return f"{shlex.join(argv)}\nexit $?"


def _mark() -> str:
    return f"{_MARK}={os.urandom(8).hex()}"


class Session:
    """One authenticated connection; use it as a context manager. Not for several threads at once."""

    def __init__(self, partition: str, transport: "paramiko.Transport") -> None:
        self._partition = partition
        self._transport = transport

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        self._transport.close()

    @property
    def alive(self) -> bool:
        return self._transport.is_active()

    def run(self, *argv: str, input: bytes = b"", deadline_s: float = 60.0) -> Completed:
        """Runs `argv` and returns what it left. Raises DeadlineError when it does not end in time."""
        out, err = bytearray(), bytearray()
        channel, mark = self._open(), _mark()
        expired = threading.Event()

        def expire() -> None:
            expired.set()
            channel.close()

        timer = threading.Timer(deadline_s, expire)
        timer.start()
        try:
            channel.exec_command(f"export {mark}\n{shell_command(argv)}")
            status = _pump(channel, _reader_of(input), out.extend, err.extend)
        except KeyboardInterrupt:
            self._end(mark)
            raise
        finally:
            timer.cancel()
            timer.join()
            channel.close()
        if expired.is_set():
            self._end(mark)
            raise DeadlineError(
                f"`{shlex.join(argv)}` did not end on {self._partition} within {deadline_s:g} s",
                f"see what its kernel prints: enclave log {self._partition}",
            )
        return Completed(_ended(status), bytes(out), bytes(err))

    def check(self, *argv: str) -> None:
        """Runs `argv`, and raises SshError with what it complains about if its status is not 0."""
        done = self.run(*argv)
        if done.status != 0:
            raise SshError(
                f"`{shlex.join(argv)}` failed on {self._partition}: {done.complaint}",
                f"`enclave ssh -p {self._partition}` is a shell there",
            )

    def attach(self, command: str, stdin: int, stdout: IO[bytes], stderr: IO[bytes]) -> int:
        """Runs a line of shell with these streams until it ends; returns its exit status.

        KeyboardInterrupt ends the command too, and all that it started.
        """
        mark = _mark()
        with closing(self._open()) as channel:
            channel.exec_command(f"export {mark}\n{command}")
            read = partial(os.read, stdin, CHUNK_BYTES)
            try:
                return _ended(_pump(channel, read, _writer_to(stdout), _writer_to(stderr)))
            except KeyboardInterrupt:
                self._end(mark)
                raise

    def shell(self, stdin: int, stdout: int) -> int:
        """A login shell on a terminal of its own, joined to the user's; returns its exit status."""
        with closing(self._open()) as channel:
            channel.get_pty(os.environ.get("TERM", "vt100"), *terminal.window_size(stdout))
            channel.invoke_shell()
            terminal.relay(
                channel, stdin, stdout, on_resize=lambda: channel.resize_pty(*terminal.window_size(stdout))
            )
            return _ended(channel.recv_exit_status())

    def put(self, source: Path, target: str) -> None:
        """Copies a local file to the partition. Without an SFTP server there, by `cat`."""
        done = self.run("sh", "-c", 'cat > "$0"', target, input=source.read_bytes())
        if done.status != 0:
            raise SshError(
                f"cannot write {target} on {self._partition}: {done.complaint}", _LOOK.format(self._partition)
            )

    def get(self, source: str, target: Path) -> None:
        """Copies a file of the partition to a local path."""
        done = self.run("cat", "--", source)
        if done.status != 0:
            raise SshError(
                f"cannot read {source} on {self._partition}: {done.complaint}", _LOOK.format(self._partition)
            )
        target.write_bytes(done.stdout)

    def _end(self, mark: str) -> None:
        """Ends a command and what it started: without a terminal, nothing tells them that nobody waits.

        As far as the partition answers: it may be what did not.
        """
        with suppress(Exception), closing(self._transport.open_session(timeout=END_DEADLINE_S)) as channel:
            channel.settimeout(END_DEADLINE_S)
            channel.exec_command(_END.format(mark))
            channel.shutdown_write()
            channel.recv(1)  # nothing, when it is done

    def _open(self) -> "paramiko.Channel":
        try:
            return self._transport.open_session(timeout=CONNECT_DEADLINE_S)
        except Exception as error:
            raise SshError(
                f"the SSH connection to {self._partition} is gone: {error}",
                "see its state with: enclave status",
            ) from error


def connect(endpoint: Endpoint, deadline_s: float = CONNECT_DEADLINE_S) -> Session:
    """Connects and authenticates both sides.

    QEMU's user network accepts a connection before anybody listens in the guest and then drops it, so a
    drop before the server's greeting is tried again until the deadline.
    """
    deadline = time.monotonic() + deadline_s
    while True:
        try:
            return _connect_once(endpoint, deadline)
        except (OSError, EOFError) as error:
            where = f"{endpoint.host}:{endpoint.port}"
            if time.monotonic() + RETRY_PAUSE_S > deadline:
                raise DeadlineError(
                    f"no SSH server answers at {where} after {deadline_s:g} s: {error}",
                    f"see what it prints: enclave log {endpoint.partition}",
                ) from error
            time.sleep(RETRY_PAUSE_S)


def _connect_once(endpoint: Endpoint, deadline: float) -> Session:
    remaining = max(deadline - time.monotonic(), 0.1)
    expected = _host_key(endpoint)
    wire = socket.create_connection((endpoint.host, endpoint.port), timeout=remaining)
    try:
        wire.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        # Imported when the server has been called already: both take a tenth of a second.
        paramiko = _paramiko()
        transport = paramiko.Transport(wire)
    except BaseException:
        wire.close()
        raise
    try:
        _authenticate(paramiko, transport, endpoint, expected, remaining)
    except BaseException as error:
        transport.close()
        if not isinstance(error, paramiko.SSHException):
            raise
        if not transport.remote_version:
            raise EOFError("no greeting") from error
        where = f"{endpoint.host}:{endpoint.port}"
        raise SshError(
            f"SSH to {endpoint.partition} at {where} failed: {error}",
            f"see: enclave log {endpoint.partition}",
        ) from error
    return Session(endpoint.partition, transport)


def _authenticate(
    paramiko: ModuleType, transport: "paramiko.Transport", endpoint: Endpoint, expected: str, remaining: float
) -> None:
    options = transport.get_security_options()
    # The guest may be emulated: the cheapest of what both sides know.
    options.kex = ("curve25519-sha256@libssh.org",)
    options.ciphers = ("aes128-ctr",)
    options.key_types = ("ssh-ed25519",)
    transport.banner_timeout = transport.handshake_timeout = transport.auth_timeout = remaining
    transport.start_client(timeout=remaining)
    if transport.get_remote_server_key().get_base64() != expected:
        raise SshError(
            f"another SSH server answers at {endpoint.host}:{endpoint.port}: its key is not this run's",
            "restart the enclave: enclave down, then enclave up",
        )
    key = paramiko.Ed25519Key.from_private_key_file(os.fspath(endpoint.key))
    transport.auth_publickey(endpoint.user, key)


def _host_key(endpoint: Endpoint) -> str:
    """The partition's public key in base64. The file of a run has one key, valid for every address."""
    for line in endpoint.known_hosts.read_text().splitlines():
        match line.split():
            case [_, "ssh-ed25519", key, *_]:
                return key
    raise SshError(f"{endpoint.known_hosts} has no ssh-ed25519 key", "was the run folder changed by hand?")


def _paramiko() -> ModuleType:
    """Imported when first used: 0.2 s, and as much again for `invoke`, which only ssh_config needs."""
    without_invoke = "invoke" not in sys.modules
    modules: dict[str, Any] = sys.modules
    if without_invoke:
        modules["invoke"] = None
    try:
        import paramiko
    finally:
        if without_invoke:
            del modules["invoke"]
    import logging

    # Its thread logs a traceback for what is then raised in ours as well.
    logging.getLogger("paramiko").addHandler(logging.NullHandler())
    return paramiko


def _reader_of(data: bytes) -> Callable[[], bytes]:
    chunks = iter([data])
    return lambda: next(chunks, b"")


def _writer_to(stream: IO[bytes]) -> Callable[[bytes], Any]:
    def write(data: bytes) -> None:
        stream.write(data)
        stream.flush()

    return write


def _pump(
    channel: "paramiko.Channel",
    read_input: Callable[[], bytes],
    write_out: Callable[[bytes], Any],
    write_err: Callable[[bytes], Any],
) -> int:
    """Moves bytes both ways until the command has ended; returns paramiko's exit status, -1 for none."""

    def send() -> None:
        try:
            while data := read_input():
                channel.sendall(data)
            channel.shutdown_write()
        except OSError:
            pass  # the command ended without reading all of it

    def receive_errors() -> None:
        while data := channel.recv_stderr(CHUNK_BYTES):
            write_err(data)

    # The sender may be left in a read from the terminal when the command ends: it must not hold the process.
    threading.Thread(target=send, daemon=True).start()
    errors = threading.Thread(target=receive_errors, daemon=True)
    errors.start()
    while data := channel.recv(CHUNK_BYTES):
        write_out(data)
    errors.join()
    return channel.recv_exit_status()


def _ended(status: int) -> int:
    if status < 0:
        raise SshError("the connection broke before the command ended", "see: enclave status")
    return status
