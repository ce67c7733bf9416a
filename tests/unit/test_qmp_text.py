# SPDX-License-Identifier: Apache-2.0
"""Answers and events as a person reads them."""

import json
from typing import Any

import click
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from orchestrator.qmp_text import answer, event

WIDTH = 60


def plain(value: Any, width: int = WIDTH) -> str:
    return click.unstyle(answer(value, width))


def test_what_fits_is_one_line_and_what_does_not_is_taken_apart() -> None:
    assert plain({"status": "running", "running": True, "n": None}) == (
        '{"status": "running", "running": true, "n": null}'
    )
    cpu = {"thread-id": 27611, "props": {"core-id": 0, "thread-id": 0}, "target": "x86_64"}
    assert plain([cpu, 5]) == (
        "[\n"
        "  {\n"
        '    "thread-id": 27611,\n'
        '    "props": {"core-id": 0, "thread-id": 0},\n'
        '    "target": "x86_64"\n'
        "  },\n"
        "  5\n"
        "]"
    )


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(st.characters(codec="utf-8")),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=3), inner),
    max_leaves=8,
)


@settings(max_examples=50)
@given(st.lists(JSON) | st.dictionaries(st.text(), JSON), st.integers(10, 100))
def test_any_answer_is_still_json(value: Any, width: int) -> None:
    assert json.loads(plain(value, width)) == value


@given(st.lists(st.text()))
def test_no_answer_plays_tricks_with_the_terminal(value: list[str]) -> None:
    assert all(line.isprintable() for line in plain(value).split("\n"))


def test_text_of_the_human_monitor_is_itself() -> None:
    assert plain("one\r\n\ttwo\x1b[2J\r\n") == "one\n\ttwo\N{REPLACEMENT CHARACTER}[2J"


@pytest.mark.parametrize(
    ("happened", "line"),
    [
        (
            {"event": "SHUTDOWN", "data": {"guest": False, "reason": "host-qmp-quit"}},
            '[    1.500000] lwk0 SHUTDOWN {"guest": false, "reason": "host-qmp-quit"}',
        ),
        ({"event": "STOP", "data": {}}, "[    1.500000] lwk0 STOP"),
        ({"event": "started", "pid": 7}, "[    1.500000] lwk0 QEMU was started, process 7"),
        (
            {"event": "state", "state": "EXITED", "reason": "powered off", "incarnation": 1},
            "[    1.500000] lwk0 is EXITED: powered off",
        ),
        ({"event": "kill"}, "[    1.500000] lwk0 kill"),
        ({"event": "ssh", "port": 5}, ""),
    ],
)
def test_events(happened: dict[str, Any], line: str) -> None:
    assert click.unstyle(event({"t": 1.5, "partition": "lwk0"} | happened, "lwk0")) == line
