# SPDX-License-Identifier: Apache-2.0
"""The console's log: every line is stamped once, however its bytes come. Viewers: test_supervisor.py."""

import re
import time
from pathlib import Path

import pytest

from orchestrator.console import REPLAY, Console

STAMP = re.compile(rb"^\[ *\d+\.\d{6}\] ", re.MULTILINE)
TEXT = b"first\r\nsecond\n\nafter an empty one\nlogin: "


def fill(path: Path, *pieces: bytes) -> str:
    """Has the console take these pieces; returns its last line."""
    with Console(path, time.monotonic()) as console:
        for piece in pieces:
            console.take(piece)
        return console.last_line


@pytest.mark.parametrize("size", [1, 3, 7, len(TEXT)])
def test_each_line_is_stamped_once_and_nothing_else_changes(tmp_path: Path, size: int) -> None:
    fill(tmp_path / "log", *(TEXT[at : at + size] for at in range(0, len(TEXT), size)))
    logged = (tmp_path / "log").read_bytes()
    assert STAMP.sub(b"", logged) == TEXT
    assert len(STAMP.findall(logged)) == len(TEXT.split(b"\n"))


def test_a_line_has_the_time_of_its_first_byte(tmp_path: Path) -> None:
    with Console(tmp_path / "log", time.monotonic() - 1000) as console:
        console.take(b"one\ntw")
        console.take(b"o\n")
    stamps = re.findall(r"\[ +1000\.\d{6}\] (\w+)", (tmp_path / "log").read_text())
    assert stamps == ["one", "two"]


def test_last_line_is_the_newest_with_text(tmp_path: Path) -> None:
    assert fill(tmp_path / "a") == ""
    assert fill(tmp_path / "b", b"one\n", b"two\r\n", b"\r\n") == "two"
    assert fill(tmp_path / "c", b"one\n", b"half a li") == "half a li"


def test_last_line_cannot_play_tricks_with_a_terminal(tmp_path: Path) -> None:
    assert "\033" not in fill(tmp_path / "log", b"\033[2Jgotcha\xff\n")


def test_what_is_remembered_is_bounded(tmp_path: Path) -> None:
    assert len(fill(tmp_path / "log", *[b"x" * 1000] * 20)) == REPLAY


def test_a_full_disk_ends_no_console() -> None:
    assert fill(Path("/dev/full"), b"boots\n") == "boots"
