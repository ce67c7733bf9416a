# SPDX-License-Identifier: Apache-2.0
"""Several consoles as lines of one text, whatever pieces they come in."""

import time
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.console import Console
from orchestrator.console_lines import Assembler, Line, as_shown, logged


def test_a_line_has_the_time_of_its_first_byte_and_its_partition() -> None:
    lines = Assembler()
    assert lines.take(1.0, "lwk0", "he") == []
    assert lines.take(2.0, "lwk1", "one\r\ntw") == [Line(2.0, "lwk1", "one")]
    assert lines.take(3.0, "lwk0", "llo\n\nx") == [Line(1.0, "lwk0", "hello"), Line(3.0, "lwk0", "")]
    assert lines.take(4.0, "lwk1", "o\n") == [Line(2.0, "lwk1", "two")]
    assert lines.waiting


def test_a_prompt_is_shown_without_an_end_and_what_follows_has_its_own_time() -> None:
    lines = Assembler()
    lines.take(1.0, "host", "# ")
    lines.take(0.5, "lwk0", "half")
    assert lines.rest() == [Line(0.5, "lwk0", "half"), Line(1.0, "host", "#")]
    assert not lines.waiting
    assert lines.take(9.0, "host", "ls\r\n") == [Line(9.0, "host", "ls")]


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("\x1b[31mred\x1b[0m and \x1b[1;32mgreen", "red and green"),
        ("\x1b]0;title\x07text", "text"),
        ("10 %\r50 %\r100 %\r", "100 %"),
        ("lss\b \b /\x1b[J", "ls /"),
        ("\x1b[6n# ", "#"),
        ("tab\there\0", "tab\there"),
        ("caf\udcc3\udca9 \udcff", "café \N{REPLACEMENT CHARACTER}"),
    ],
)
def test_a_line_is_what_a_terminal_would_have_in_the_end(text: str, shown: str) -> None:
    assert as_shown(text) == shown


@given(st.text())
def test_no_line_plays_tricks_with_the_terminal(text: str) -> None:
    assert all(each.isprintable() or each in "\n\t" for each in as_shown(text))


@given(st.lists(st.text(alphabet="ab\n", max_size=6), max_size=8))
def test_no_text_is_lost_or_doubled(pieces: list[str]) -> None:
    lines = Assembler()
    seen = [line.text for at, piece in enumerate(pieces) for line in lines.take(at, "p", piece)]
    seen += [line.text for line in lines.rest()]
    whole = "".join(pieces).split("\n")
    assert seen == (whole if whole[-1] else whole[:-1])


def test_logs_are_merged_by_their_times(tmp_path: Path) -> None:
    logs = {name: tmp_path / name for name in ("host", "lwk0", "gone")}
    for name, begin in (("host", 100), ("lwk0", 200)):
        with Console(logs[name], time.monotonic() - begin) as console:
            console.take(b"first\nsecond\r\nno end")
    (tmp_path / "lwk0").write_text((tmp_path / "lwk0").read_text().replace("200.", " 50.", 1))
    found = [(round(line.t), line.partition, line.text) for line in logged(logs)]
    assert found == [
        (50, "lwk0", "first"),
        (100, "host", "first"),
        (100, "host", "second"),
        (100, "host", "no end"),
        (200, "lwk0", "second"),
        (200, "lwk0", "no end"),
    ]
