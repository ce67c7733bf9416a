# SPDX-License-Identifier: Apache-2.0
"""A terminal in a part of the screen: what a guest writes is obeyed by pyte, and drawn by prompt_toolkit."""

from collections.abc import Callable, Mapping
from typing import Any

import pyte
from prompt_toolkit.data_structures import Point
from prompt_toolkit.formatted_text import StyleAndTextTuples
from prompt_toolkit.layout.controls import UIContent, UIControl

HISTORY = 5000  # lines above the pane that can be scrolled to
NEW_LINE_MODE = pyte.modes.LNM
# pyte's names of colours, some misspelt in it, where they differ from prompt_toolkit's.
COLOURS = {
    "brown": "yellow",
    "white": "gray",
    "brightbrown": "brightyellow",
    "bfightmagenta": "brightmagenta",
}


class Pane(UIControl):
    """`answer` is called with what a terminal says by itself, such as where its cursor is."""

    def __init__(self, bare_newlines: bool, answer: Callable[[bytes], None]) -> None:
        self._bare_newlines = bare_newlines
        self._answer = answer
        self._screen: Any = None  # until it is known how large it is
        self._stream: Any = None
        self._early = b""
        self._above = 0  # lines between the bottom of the pane and the newest

    def feed(self, data: bytes) -> None:
        """What the guest wrote."""
        if self._screen is None:
            self._early += data
            return
        before = len(self._screen.history.top)
        self._stream.feed(data)
        if self._above:
            # What is looked at stays where it is.
            self._above = min(self._above + len(self._screen.history.top) - before, self._top)

    def scroll(self, pages: int) -> None:
        """Up for positive numbers."""
        if self._screen is not None:
            wanted = self._above + pages * max(1, self._screen.lines - 1)
            self._above = max(0, min(wanted, self._top))

    def follow(self) -> None:
        self._above = 0

    @property
    def scrolled(self) -> bool:
        return self._above > 0

    @property
    def _top(self) -> int:
        return len(self._screen.history.top)

    def create_content(self, width: int, height: int) -> UIContent:
        self._fit(width, height)
        screen, history = self._screen, self._screen.history.top
        first = len(history) - self._above

        def line(at: int) -> StyleAndTextTuples:
            index = first + at
            row = history[index] if index < len(history) else screen.buffer[index - len(history)]
            return _drawn(row, width)

        cursor = Point(min(screen.cursor.x, width - 1), min(screen.cursor.y + self._above, height - 1))
        shown = not self._above and not screen.cursor.hidden
        return UIContent(line, height, cursor_position=cursor, show_cursor=shown)

    def is_focusable(self) -> bool:
        return True

    def _fit(self, width: int, height: int) -> None:
        if self._screen is None:
            self._screen = pyte.HistoryScreen(width, height, history=HISTORY, ratio=0.5)
            self._screen.write_process_input = lambda text: self._answer(text.encode())
            if self._bare_newlines:
                self._screen.set_mode(NEW_LINE_MODE)
            self._stream = pyte.ByteStream(self._screen)
            self._stream.feed(self._early)
            self._early = b""
        elif (self._screen.columns, self._screen.lines) != (width, height):
            if height < self._screen.lines:
                _lower(self._screen, height)
            self._screen.resize(height, width)
            self._above = 0


def _lower(screen: Any, height: int) -> None:
    """pyte would take lines off the top, whatever is in them, and leave the cursor below the screen."""
    above = max(0, screen.cursor.y + 1 - height)
    rows = [screen.buffer[at] for at in range(screen.lines)]
    screen.history.top.extend(rows[:above])
    screen.buffer.clear()
    screen.buffer.update(enumerate(rows[above : above + height]))
    screen.cursor.y -= above
    screen.lines = height


def _drawn(row: Mapping[int, Any], width: int) -> StyleAndTextTuples:
    drawn: StyleAndTextTuples = []
    style, text = "", ""
    for at in range(width):
        char = row[at]
        if (wanted := _style(char)) != style:
            drawn.append((style, text))
            style, text = wanted, ""
        text += char.data
    drawn.append((style, text))
    return drawn


def _style(char: Any) -> str:
    words = [f"fg:{_colour(char.fg)}"] if char.fg != "default" else []
    words += [f"bg:{_colour(char.bg)}"] if char.bg != "default" else []
    kinds = ("bold", "italics", "underscore", "reverse", "blink")
    words += [PTK_WORDS.get(kind, kind) for kind in kinds if getattr(char, kind)]
    return " ".join(words)


PTK_WORDS = {"italics": "italic", "underscore": "underline"}


def _colour(name: str) -> str:
    if len(name) == 6 and all(digit in "0123456789abcdef" for digit in name):
        return f"#{name}"
    return f"ansi{COLOURS.get(name, name)}"
