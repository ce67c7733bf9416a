# SPDX-License-Identifier: Apache-2.0
from typing import Any

import click

from orchestrator import table


def partition(name: str, **changes: Any) -> dict[str, Any]:
    return {
        "name": name,
        "kernel": "lwk",
        "is_host": False,
        "state": "READY",
        "reason": "",
        "cpus": [1, 2, 3],
        "numa": [{"node": 0, "kind": "dram", "size_bytes": 256 << 20}],
        "links": {"host": "RUN"},
        "ready_s": 0.1,
    } | changes


def test_columns_line_up_under_colours() -> None:
    text = table.columns(("A", "B"), [(click.style("x", fg="red"), "1"), ("long", "2")])
    assert click.unstyle(text).splitlines() == ["A     B", "x     1", "long  2"]


def test_links_that_do_not_run_are_named_among_many() -> None:
    states = {f"lwk{n}": "RUN" for n in range(8)} | {"lwk3": "RESET"}
    assert table.links(states) == "7 RUN, lwk3 RESET"
    assert table.links({"lwk0": "RUN", "lwk1": "INIT"}) == "lwk0 RUN, lwk1 INIT"
    assert table.links({}) == "-"


def test_table_shows_every_partition_and_why_one_died() -> None:
    hbm = [
        {"node": 1, "kind": "dram", "size_bytes": 256 << 20},
        {"node": 2, "kind": "hbm", "size_bytes": 64 << 20},
    ]
    dead = partition("lwk1", state="EXITED", reason="killed by signal 9 (SIGKILL)", numa=hbm, ready_s=None)
    lines = click.unstyle(table.partitions({"partitions": [partition("lwk0"), dead]})).splitlines()
    assert lines[1].split() == ["lwk0", "lwk", "1-3", "0:", "256M", "READY", "host", "RUN", "0.10", "s"]
    assert "1: 256M, 2: 64M hbm" in lines[2]
    assert "EXITED" in lines[2]
    assert lines[3] == "lwk1: killed by signal 9 (SIGKILL)"


def test_placements_are_shown_of_those_that_have_one() -> None:
    memory = [
        {"node": 0, "nodes": [1], "hugepage_bytes": 2 << 20},
        {"node": 2, "nodes": [], "hugepage_bytes": 0},
    ]
    placed = partition("lwk0", placement={"processors": {"1": 4, "2": 6}, "memory": memory})
    lines = table.placements([partition("host", placement=None), placed], [0, 1, 2]).splitlines()
    assert [line.split("  ")[0] for line in lines] == ["PLACED", "lwk0", "all else"]
    assert "1: 4, 2: 6" in lines[1]
    assert "0: node 1 in pages of 2M, 2: any node" in lines[1]
    assert "0-2" in lines[2]
    assert table.placements([partition("host", placement=None)], []) == ""


def test_next_commands_name_partitions_that_exist() -> None:
    host = partition("linux", kernel="linux", is_host=True)
    assert "enclave ping tiny0 " in table.next_commands({"partitions": [host, partition("tiny0")]})
    assert "ping" not in table.next_commands({"partitions": [host]})
