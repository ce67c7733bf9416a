# SPDX-License-Identifier: Apache-2.0
"""The user's terminal: joined to a byte stream (a console, a shell on the host), or read key by key."""

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
END_OF_INPUT = "\x04"
# As ECMA-48 terminals send them; the second form in application mode.
SEQUENCES = {
    **{f"\x1b{introducer}{last}": name
       for last, name in {"A": "up", "B": "down", "H": "home", "F": "end"}.items()
       for introducer in "[O"},
    "\x1b[5~": "page up",
    "\x1b[6~": "page down",
    "\x1b[1~": "home",
    "\x1b[4~": "end",
}  # fmt: skip


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


class Keys:
    """Keys of a terminal one by one, by name: `a`, `up`, `page down`. Made by `keys` alone."""

    def __init__(self, fd: int, resized: int) -> None:
        self._fd = fd
        self._resized = resized
        self._unread = ""

    def wait(self, within_s: float) -> str | None:
        """The next key, "resize" when the window has changed, None if nothing came within that time."""
        if not self._unread:
            ready, _, _ = select.select([self._fd, self._resized], [], [], max(0.0, within_s))
            if self._resized in ready:
                os.read(self._resized, CHUNK_BYTES)
                return "resize"
            if not ready:
                return None
            # A key that is more than one byte comes in one piece.
            self._unread = os.read(self._fd, CHUNK_BYTES).decode(errors="replace") or END_OF_INPUT
        for sequence, name in SEQUENCES.items():
            if self._unread.startswith(sequence):
                self._unread = self._unread[len(sequence) :]
                return name
        key, self._unread = self._unread[0], self._unread[1:]
        return key


@contextmanager
def keys(fd: int) -> Iterator[Keys]:
    """The terminal gives each key at once and shows none. Ctrl-C interrupts as ever; Ctrl-Z does nothing: it
    would leave the shell with whatever is on the screen."""
    before = termios.tcgetattr(fd)
    tty.setcbreak(fd, termios.TCSADRAIN)
    mode = termios.tcgetattr(fd)
    mode[tty.CC][termios.VSUSP] = b"\0"
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
    try:
        with _resize_events() as resized:
            yield Keys(fd, resized)
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)


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
