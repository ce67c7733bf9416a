# SPDX-License-Identifier: Apache-2.0
import os
import pty
import signal
import socket
import termios
import threading
import tty
from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from orchestrator import terminal


@dataclass
class Screen:
    """A terminal with a relay on it: `keys` is where the user types, `far` is the other end of the stream."""

    keys: int
    terminal: int
    near: socket.socket
    far: socket.socket
    shown: socket.socket
    stdout: socket.socket
    resized: list[bool] = field(default_factory=list)

    def relay(self) -> bool:
        return terminal.relay(
            self.near,
            self.terminal,
            self.stdout.fileno(),
            detach=terminal.DETACH,
            on_resize=self.resize,
        )

    def resize(self) -> None:
        self.resized.append(True)
        self.far.close()

    def answer_and_end(self) -> None:
        self.far.sendall(b"late")
        self.far.close()


@pytest.fixture
def screen() -> Iterator[Screen]:
    keys, slave = pty.openpty()
    tty.setraw(slave)  # so that keys may be pressed before the relay is there
    near, far = socket.socketpair()
    shown, stdout = socket.socketpair()
    far.settimeout(10)
    shown.settimeout(10)
    yield Screen(keys, slave, near, far, shown, stdout)
    for end in (near, far, shown, stdout):
        end.close()
    os.close(keys)
    os.close(slave)


def test_bytes_pass_both_ways_until_the_stream_ends(screen: Screen) -> None:
    def peer() -> None:
        assert screen.far.recv(3) == b"\x03ls"
        screen.far.sendall(b"\x00\xffdone")
        screen.far.close()

    thread = threading.Thread(target=peer)
    thread.start()
    os.write(screen.keys, b"\x03ls")  # Ctrl-C belongs to the guest
    assert screen.relay() is False
    thread.join()
    assert screen.shown.recv(100) == b"\x00\xffdone"


def test_detach_key_ends_it_and_what_was_typed_before_still_goes_out(screen: Screen) -> None:
    os.write(screen.keys, b"abc" + terminal.DETACH + b"def")
    before = termios.tcgetattr(screen.terminal)
    assert screen.relay() is True
    assert screen.far.recv(100) == b"abc"
    assert termios.tcgetattr(screen.terminal) == before


def test_carriage_returns_are_added_for_streams_without(screen: Screen) -> None:
    screen.far.sendall(b"one\ntwo\n")
    screen.far.close()
    terminal.relay(screen.near, screen.terminal, screen.terminal, bare_newlines=True)
    assert os.read(screen.keys, 100) == b"one\r\ntwo\r\n"


def test_end_of_input_does_not_end_the_stream(screen: Screen) -> None:
    with open(os.devnull, "rb") as nothing:
        threading.Timer(0.05, screen.answer_and_end).start()
        assert terminal.relay(screen.near, nothing.fileno(), screen.stdout.fileno()) is False
    assert screen.shown.recv(100) == b"late"


def test_new_window_size_is_told(screen: Screen) -> None:
    threading.Timer(0.05, lambda: os.kill(os.getpid(), signal.SIGWINCH)).start()
    assert screen.relay() is False
    assert screen.resized == [True]


def test_window_size_without_a_terminal() -> None:
    with open(os.devnull, "rb") as nothing:
        assert terminal.window_size(nothing.fileno()) == (80, 24)
