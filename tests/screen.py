# SPDX-License-Identifier: Apache-2.0
"""A program in a terminal, as a person sees and drives it: what is on the screen, and what is typed."""

import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import TracebackType

import pexpect
import pyte

DEADLINE_S = 60.0


class Screen:
    """Ends the program on leaving."""

    def __init__(
        self, command: Sequence[str], environment: Mapping[str, str], cwd: Path, columns: int, rows: int
    ) -> None:
        self._screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self._screen)
        self._screen.write_process_input = self._answer  # type: ignore[method-assign]
        self._said = bytearray()
        self._program: pexpect.spawn[bytes] = pexpect.spawn(
            command[0],
            list(command[1:]),
            env={**environment, "TERM": "xterm-256color"},
            cwd=str(cwd),
            dimensions=(rows, columns),
        )
        self._program.delaybeforesend = None

    def __enter__(self) -> "Screen":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        try:
            self._program.close(force=True)
        except pexpect.ExceptionPexpect:
            # It was sent SIGKILL; on a busy computer it takes more than pexpect's 0.1 s to be gone.
            self._program.wait()

    @property
    def lines(self) -> list[str]:
        return [line.rstrip() for line in self._screen.display]

    @property
    def text(self) -> str:
        return "\n".join(self.lines).rstrip()

    def colour_of(self, text: str) -> str:
        """Of the first character of the last place where the text is shown."""
        row, line = next(
            (row, line) for row, line in reversed(list(enumerate(self._screen.display))) if text in line
        )
        return str(self._screen.buffer[row][line.rindex(text)].fg)

    def type(self, keys: str) -> None:
        self._program.send(keys.encode())

    def resize(self, columns: int, rows: int) -> None:
        self._screen.resize(rows, columns)
        self._program.setwinsize(rows, columns)

    def until(self, *texts: str) -> str:
        """Waits until all of these are shown at once; returns the screen."""
        self.until_true(
            lambda: all(text in "\n".join(self._screen.display) for text in texts), f"show {texts}"
        )
        return self.text

    def until_said(self, text: str) -> None:
        """Waits until this was shown, though it may have left the screen since."""
        self.until_true(lambda: text.encode() in self._said, f"say {text!r}")

    def until_true(self, predicate: Callable[[], bool], what: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not predicate():
            left = deadline - time.monotonic()
            assert left > 0, f"it did not {what}:\n{self.text}"
            try:
                self._feed(min(left, 0.2))
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                assert predicate(), f"it ended, and did not {what}:\n{self.text}"

    def until_end(self) -> int:
        """Waits until the program has ended; returns its exit status."""
        deadline = time.monotonic() + DEADLINE_S
        while True:
            assert time.monotonic() < deadline, f"it did not end:\n{self.text}"
            try:
                self._feed(0.2)
            except pexpect.TIMEOUT:
                continue
            except pexpect.EOF:
                self._program.wait()
                return int(self._program.exitstatus if self._program.exitstatus is not None else -1)

    def _feed(self, within_s: float) -> None:
        data = self._program.read_nonblocking(1 << 16, within_s)
        self._said += data
        self._stream.feed(data)

    def _answer(self, data: str) -> None:
        """What a terminal says by itself, as where its cursor is."""
        self._program.send(data.encode())
