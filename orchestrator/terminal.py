# SPDX-License-Identifier: Apache-2.0
"""Joins the user's terminal to a byte stream: a serial console, or a shell on the host."""

import os
import select
import signal
import socket
import termios
import tty
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Protocol

DETACH = b"\x1d"  # Ctrl-], as telnet and virsh have it
CHUNK_BYTES = 65536


class Stream(Protocol):
    """What sockets and SSH channels have in common."""

    def fileno(self) -> int: ...
    def recv(self, size: int, /) -> bytes: ...
    def sendall(self, data: bytes, /) -> None: ...


def window_size(fd: int) -> tuple[int, int]:
    """(columns, rows); 80 x 24 where there is no terminal."""
    try:
        found = os.get_terminal_size(fd)
    except OSError:
        return (80, 24)
    return (found.columns, found.lines)


def relay(
    stream: Stream,
    stdin: int,
    stdout: int,
    detach: bytes | None = None,
    on_resize: Callable[[], None] | None = None,
    bare_newlines: bool = False,
) -> bool:
    """Moves bytes both ways, the terminal being raw, until the stream ends or the detach key is pressed.

    End of input alone does not end it: the stream is shown on. `bare_newlines` is for a stream whose lines
    end without a carriage return, which the terminal then adds. Returns whether the user detached.
    """
    with _raw(stdin, bare_newlines), _resize_events() as resized:
        sources = [stdin, stream.fileno(), resized]
        while True:
            ready, _, _ = select.select(sources, [], [])
            if resized in ready and os.read(resized, CHUNK_BYTES) and on_resize:
                on_resize()
            if stream.fileno() in ready:
                data = _receive(stream)
                if not data:
                    return False
                _write_all(stdout, data)
            if stdin in ready:
                data = os.read(stdin, CHUNK_BYTES)
                if not data:
                    sources.remove(stdin)
                elif detach and detach in data:
                    stream.sendall(data[: data.index(detach)])
                    return True
                else:
                    stream.sendall(data)


def _receive(stream: Stream) -> bytes:
    try:
        return stream.recv(CHUNK_BYTES)
    except (ConnectionError, TimeoutError):
        return b""


def _write_all(fd: int, data: bytes) -> None:
    while data:
        data = data[os.write(fd, data) :]


@contextmanager
def _raw(fd: int, bare_newlines: bool) -> Iterator[None]:
    if not os.isatty(fd):
        yield
        return
    before = termios.tcgetattr(fd)
    tty.setraw(fd, termios.TCSADRAIN)  # what was typed ahead is not lost
    if bare_newlines:
        mode = termios.tcgetattr(fd)
        mode[tty.OFLAG] |= termios.OPOST | termios.ONLCR
        termios.tcsetattr(fd, termios.TCSADRAIN, mode)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


@contextmanager
def _resize_events() -> Iterator[int]:
    """A descriptor that becomes readable when the window has changed: the handler itself may not send."""
    readable, writable = socket.socketpair()
    readable.setblocking(False)
    writable.setblocking(False)
    before = signal.signal(signal.SIGWINCH, lambda number, frame: None)
    wakeup = signal.set_wakeup_fd(writable.fileno(), warn_on_full_buffer=False)
    try:
        yield readable.fileno()
    finally:
        signal.set_wakeup_fd(wakeup)
        signal.signal(signal.SIGWINCH, before)
        readable.close()
        writable.close()
