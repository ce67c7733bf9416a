# SPDX-License-Identifier: Apache-2.0
import io
from typing import Any

import pytest
from rich.console import Console, RenderableType

from orchestrator.activity import Activity, activity
from orchestrator.top_text import VIEWS, Look, duration, page, row_count, screen, short
from tests.unit import looks


def watched(lwks: int) -> Activity:
    before, after = looks.enclave(lwks, 10.0, 0), looks.enclave(lwks, 11.0, 12_345)
    return activity(looks.sample(before), looks.sample(after, ran_s=0.5))


def lines_of(shown: RenderableType, width: int) -> list[str]:
    console = Console(file=io.StringIO(), width=width, color_system=None)
    console.print(shown)
    file = console.file
    assert isinstance(file, io.StringIO)
    return [line.rstrip() for line in file.getvalue().splitlines()]


def test_sixteen_lwks_fit_80_columns_and_24_lines() -> None:
    lines = lines_of(screen(watched(16), Look(), 80, 24), 80)
    assert len(lines) <= 24
    assert max(map(len, lines)) <= 80
    header = lines[1].split()
    for needed in ("PARTITION", "STATE", "CPUS", "RUN%", "RAM", "RES", "FREE", "IN/S", "OUT/S", "LINKS"):
        assert needed in header
    for needed, cell in ("PROC", "1"), ("OFFL/S", "12k"), ("LATENCY", "2ms"):
        assert lines[3].split()[header.index(needed)] == cell
    assert [line.split()[0] for line in lines[2:19]] == ["host", *(f"lwk{index}" for index in range(16))]
    assert not [line for line in lines[2:19] if "…" in line]


@pytest.mark.parametrize("view", VIEWS)
@pytest.mark.parametrize("width", [30, 40, 60, 80, 100, 132])
def test_no_line_is_wider_than_the_window(view: str, width: int) -> None:
    lines = lines_of(screen(watched(3), Look(view), width, 50), width)
    assert len(lines) == 2 + row_count(watched(3), view) + 1
    assert max(map(len, lines)) <= width


def test_wide_window_leaves_nothing_out() -> None:
    header = lines_of(page(watched(1), Look(), 250), 250)[1].split()
    assert header[:4] == ["PARTITION", "STATE", "CPUS", "RUN%"]
    assert {
        "WAIT%",
        "QEMU%",
        "PROC",
        "THREADS",
        "OFFL/S",
        "LATENCY",
        "FULL/S",
        "BELL/S",
        "INT/S",
        "ANSWER",
        "PING",
    } <= set(header)


def test_rows_below_are_counted_and_reached_by_scrolling() -> None:
    many = watched(16)
    assert "more below" in lines_of(screen(many, Look("links"), 80, 24), 80)[-1]
    last = row_count(many, "links") - 20
    lines = lines_of(screen(many, Look("links", first=last), 80, 24), 80)
    assert "more below" not in lines[-1]
    assert lines[-2].split()[:2] == ["lwk15", "lwk14"]


def test_reason_of_a_death_stands_below_and_costs_no_more_than_its_line() -> None:
    dead = looks.enclave(16, 11.0)
    dead["partitions"][3] |= {"state": "PANICKED", "reason": "page fault\nat 0x10 " + "x" * 200}
    happened = activity(looks.sample(looks.enclave(16, 10.0)), looks.sample(dead))
    lines = lines_of(screen(happened, Look(), 80, 18), 80)
    assert len(lines) == 17  # the last line of a window stays free: to write there could scroll it
    assert lines[-2].startswith("lwk2: page fault at 0x10 xx")


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"state": "BOOTING", "debugger": "waits"}, "lwk2: waits for gdb"),
        ({"debugger": "stopped"}, "lwk2: stopped by the debugger"),
        ({"paused": True}, "lwk2: paused"),
    ],
)
def test_who_has_stopped_a_partition_stands_below(change: dict[str, Any], told: str) -> None:
    stopped = looks.enclave(16, 11.0)
    stopped["partitions"][3] |= change
    happened = activity(looks.sample(looks.enclave(16, 10.0)), looks.sample(stopped))
    assert lines_of(page(happened, Look(), 80), 80)[-1] == told


def test_sorted_by_what_was_asked_for() -> None:
    busy = looks.enclave(2, 11.0)
    busy["partitions"][2]["links"]["host"]["sent"] = 500
    happened = activity(looks.sample(looks.enclave(2, 10.0)), looks.sample(busy))
    by_messages = lines_of(page(happened, Look(sort="messages"), 80), 80)
    assert by_messages[2].split()[0] == "lwk1"
    links = lines_of(page(happened, Look("links", "messages"), 80), 80)
    assert links[2].split()[:2] == ["lwk1", "host"]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (None, "-"),
        (0, "0"),
        (0.25, "0.2"),
        (7, "7"),
        (999, "999"),
        (1234, "1.2k"),
        (12_345, "12k"),
        (999_600, "1.0M"),
    ],
)
def test_rates_take_four_characters(value: float | None, text: str) -> None:
    assert short(value) == text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.00085, "850us"), (0.0042, "4.2ms"), (61, "1:01"), (7380, "2h03m")],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text
