# SPDX-License-Identifier: Apache-2.0
"""A terminal in a part of the screen."""

import pytest

from orchestrator.console_pane import Pane


class Shown:
    """A pane of this size, and what it answers to its guest."""

    def __init__(self, bare_newlines: bool = False, columns: int = 20, rows: int = 4) -> None:
        self.answered = b""
        self.columns, self.rows = columns, rows
        self.pane = Pane(bare_newlines, self._answer)

    def _answer(self, data: bytes) -> None:
        self.answered += data

    @property
    def lines(self) -> list[str]:
        content = self.pane.create_content(self.columns, self.rows)
        return ["".join(part[1] for part in content.get_line(at)).rstrip() for at in range(self.rows)]

    def styles(self, row: int) -> list[tuple[str, str]]:
        content = self.pane.create_content(self.columns, self.rows)
        return [(part[0], part[1].strip()) for part in content.get_line(row) if part[1].strip()]


@pytest.mark.parametrize(("bare", "data"), [(False, b"one\r\ntwo"), (True, b"one\ntwo")])
def test_lines_begin_at_the_left_whichever_way_the_guest_ends_them(bare: bool, data: bytes) -> None:
    shown = Shown(bare)
    shown.pane.feed(data)
    assert shown.lines == ["one", "two", "", ""]


def test_a_guest_may_move_the_cursor_and_ask_where_it_is() -> None:
    shown = Shown()
    assert shown.lines == [""] * 4
    shown.pane.feed(b"abc\x1b[2;3Hx\x1b[6n")
    assert shown.lines == ["abc", "  x", "", ""]
    assert shown.answered == b"\x1b[2;4R"


def test_colours() -> None:
    shown = Shown()
    shown.pane.feed(b"a \x1b[31mred\x1b[0m \x1b[1;93;44mloud\x1b[0m \x1b[38;5;208mo")
    assert shown.styles(0) == [
        ("", "a"),
        ("fg:ansired", "red"),
        ("fg:ansibrightyellow bg:ansiblue bold", "loud"),
        ("fg:#ff8700", "o"),
    ]


def test_what_was_can_be_scrolled_to_and_stays_while_more_comes() -> None:
    shown = Shown(bare_newlines=True)
    assert shown.lines
    shown.pane.feed("\n".join(map(str, range(10))).encode())
    assert shown.lines == ["6", "7", "8", "9"]
    shown.pane.scroll(1)
    assert (shown.lines, shown.pane.scrolled) == (["3", "4", "5", "6"], True)
    shown.pane.feed(b"\n10\n11")
    assert shown.lines == ["3", "4", "5", "6"]
    shown.pane.scroll(100)
    assert shown.lines == ["0", "1", "2", "3"]
    shown.pane.scroll(-100)
    assert (shown.lines, shown.pane.scrolled) == (["8", "9", "10", "11"], False)
    shown.pane.scroll(2)
    shown.pane.follow()
    assert shown.lines == ["8", "9", "10", "11"]


def test_another_size() -> None:
    shown = Shown(bare_newlines=True)
    shown.pane.feed(b"1\n2\n3\n4 is long enough")
    assert shown.lines[-1] == "4 is long enough"
    shown.columns, shown.rows = 40, 2
    assert shown.lines == ["3", "4 is long enough"]
    shown.pane.feed(b"\n5")
    assert shown.lines == ["4 is long enough", "5"]
