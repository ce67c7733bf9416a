# SPDX-License-Identifier: Apache-2.0
"""Several consoles in one terminal, line by line as they come; nothing is typed into them."""

import json
import os
import select
import socket
import termios
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from orchestrator.console_lines import Assembler, Line
from orchestrator.terminal import CHUNK_BYTES, DETACH

QUIET_S = 0.1  # a line that has no end for so long is shown as it is


def watch(pieces: socket.socket, keyboard: int | None, show: Callable[[Line], None]) -> bool:
    """Until the pieces (client.py) end, or the detach key is pressed; whether it was the key."""
    assembler = Assembler()
    sources = [pieces.fileno(), *([] if keyboard is None else [keyboard])]
    begun = b""
    with _keys_at_once(keyboard):
        while True:
            ready, _, _ = select.select(sources, [], [], QUIET_S if assembler.waiting else None)
            if keyboard in ready and DETACH in os.read(keyboard or 0, CHUNK_BYTES):
                return True
            if pieces.fileno() in ready:
                data = pieces.recv(CHUNK_BYTES)
                *lines, begun = (begun + data).split(b"\n")
                for line in lines:
                    piece: dict[str, Any] = json.loads(line)
                    for each in assembler.take(piece["t"], piece["partition"], piece["text"]):
                        show(each)
            if not ready or not data:
                for each in assembler.rest():
                    show(each)
            if ready and not data:
                return False


@contextmanager
def _keys_at_once(fd: int | None) -> Iterator[None]:
    """Keys come as they are pressed and are not shown; Ctrl-C interrupts as ever."""
    if fd is None:
        yield
        return
    before = termios.tcgetattr(fd)
    mode = termios.tcgetattr(fd)
    mode[3] &= ~(termios.ICANON | termios.ECHO)
    termios.tcsetattr(fd, termios.TCSADRAIN, mode)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSADRAIN, before)
