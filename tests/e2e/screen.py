# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal of its own, and what stands on its screen: a person's view of it."""

import termios
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pyte

DEADLINE_S = 60.0


class Terminal:
    """Made by `in_terminal` alone."""

    def __init__(self, child: pexpect.spawn, columns: int, rows: int) -> None:  # type: ignore[type-arg]
        self.child = child
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.Stream(self._screen)
        self.raw = ""

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    def press(self, keys: str) -> None:
        self.child.send(keys)

    def wait_for(self, seen: Callable[[list[str]], bool], what: str) -> list[str]:
        """The lines of the first screen for which it is true."""
        deadline = time.monotonic() + DEADLINE_S
        while not seen(self.lines):
            assert time.monotonic() < deadline, f"{what}: not on the screen:\n" + "\n".join(self.lines)
            self._read(0.1)
        return self.lines

    def wait_for_text(self, text: str) -> list[str]:
        return self.wait_for(lambda lines: any(text in line for line in lines), text)

    def end(self) -> int:
        """Waits until the program has ended; its exit status, or minus the signal that it died of."""
        deadline = time.monotonic() + DEADLINE_S
        while self.child.isalive() or not self.child.flag_eof:
            assert time.monotonic() < deadline, "it did not end:\n" + "\n".join(self.lines)
            self._read(0.1)
        signal: int | None = self.child.signalstatus
        return -signal if signal else int(self.child.exitstatus or 0)

    def modes(self) -> list[object]:
        """How the terminal is set: see termios(3)."""
        return list(termios.tcgetattr(self.child.child_fd))

    def _read(self, within_s: float) -> None:
        try:
            text = self.child.read_nonblocking(65536, within_s)
        except pexpect.TIMEOUT:
            return
        except pexpect.EOF:
            return
        self.raw += text
        self._stream.feed(text)


@contextmanager
def in_terminal(
    program: Path, *arguments: str, environment: dict[str, str], columns: int = 80, rows: int = 24
) -> Iterator[Terminal]:
    child = pexpect.spawn(
        str(program),
        list(arguments),
        dimensions=(rows, columns),
        encoding="utf-8",
        env=environment | {"TERM": "xterm-256color"},
    )
    try:
        yield Terminal(child, columns, rows)
    finally:
        child.close(force=True)
