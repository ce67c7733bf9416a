# SPDX-License-Identifier: Apache-2.0
"""Which lines of the consoles a story repeats; the rest of the writer: test_crashes.py."""

from orchestrator.crash_writer import LAST_LINES, OWN_LINES, _last
from orchestrator.merged_consoles import ConsoleLine


def console(*lines: tuple[str, str]) -> list[ConsoleLine]:
    return [ConsoleLine(float(at), partition, text) for at, (partition, text) in enumerate(lines)]


def test_last_lines_are_the_last_and_some_of_its_own() -> None:
    own = [("lwk0", f"own {n}") for n in range(5)]
    others = [("host", f"other {n}") for n in range(20)]
    found = _last(console(*own, *others), "lwk0", [])
    assert [line.text for line in found] == [
        "own 2",
        "own 3",
        "own 4",
        *(f"other {n}" for n in range(16, 20)),
    ]
    assert (len(found), OWN_LINES) == (LAST_LINES, 3)
    assert _last(console(*others, *own), "lwk0", [])[-5:] == console(*others, *own)[-5:]
    assert _last(console(*own[:2]), "lwk0", []) == console(*own[:2])
    assert _last([], "lwk0", []) == []


def test_the_report_of_a_panic_is_not_told_twice() -> None:
    lines = console(
        ("lwk0", "[ 1.0] ready"),
        ("lwk0", "[ 2.0] panic: no room"),
        ("lwk0", "[ 2.1] backtrace:"),
        ("host", "backtrace:"),
    )
    found = _last(lines, "lwk0", ["panic: no room", "backtrace:", ""])
    assert [line.text for line in found] == ["[ 1.0] ready", "[ 2.0] panic: no room", "backtrace:"]
