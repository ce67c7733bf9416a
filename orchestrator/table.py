# SPDX-License-Identifier: Apache-2.0
"""Status and plan as text for a terminal. Pure: data in, lines out; nothing here prints."""

from collections.abc import Iterable, Sequence
from typing import Any

import click

from orchestrator.quantities import format_cpu_list, format_size

STATE_COLOURS = {"READY": "green", "BOOTING": "yellow", "PANICKED": "red", "HUNG": "red", "EXITED": "red"}
LINKS_SHOWN = 3  # more than these are counted, and only those that do not run are named


def columns(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Left-aligned columns, two spaces apart; colours in a cell take no width."""
    lines = [list(header), *(list(row) for row in rows)]
    widths = [max(len(click.unstyle(line[at])) for line in lines) for at in range(len(header))]
    return "\n".join(
        "  ".join(
            cell + " " * (width - len(click.unstyle(cell))) for cell, width in zip(line, widths, strict=True)
        ).rstrip()
        for line in lines
    )


def seconds(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f} s"


def state(name: str) -> str:
    return click.style(name, fg=STATE_COLOURS.get(name))


def memory(numa: Iterable[dict[str, Any]]) -> str:
    """`0: 256M, 2: 64M hbm`: node, size, and the kind unless it is dram."""
    return ", ".join(
        f"{node['node']}: {format_size(node['size_bytes'])}"
        + (f" {node['kind']}" if node["kind"] != "dram" else "")
        for node in numa
    )


def links(states: dict[str, str]) -> str:
    if len(states) <= LINKS_SHOWN:
        return ", ".join(f"{peer} {found}" for peer, found in states.items()) or "-"
    running = sum(found == "RUN" for found in states.values())
    others = [f"{peer} {found}" for peer, found in states.items() if found != "RUN"]
    shown = others[:LINKS_SHOWN] + (["..."] if len(others) > LINKS_SHOWN else [])
    return ", ".join([f"{running} RUN", *shown])


def partitions(status: dict[str, Any]) -> str:
    """The table that `up` and `status` end with; below it, why a partition is not well."""
    rows = [
        (
            partition["name"],
            partition["kernel"],
            format_cpu_list(partition["cpus"]),
            memory(partition["numa"]),
            state(partition["state"]),
            links(partition["links"]),
            seconds(partition["ready_s"]),
        )
        for partition in status["partitions"]
    ]
    header = ("PARTITION", "KERNEL", "CPUS", "NUMA NODE: MEMORY", "STATE", "LINKS", "READY AFTER")
    reasons = [
        f"{partition['name']}: {partition['reason']}"
        for partition in status["partitions"]
        if partition["state"] not in ("READY", "BOOTING") and partition["reason"]
    ]
    return "\n".join([columns(header, rows), *reasons])


def next_commands(status: dict[str, Any]) -> str:
    """What to try on this enclave, with names that exist in it."""
    lwks = [partition["name"] for partition in status["partitions"] if not partition["is_host"]]
    commands = [("enclave ssh", "a shell on the Linux host")]
    if lwks:
        commands += [
            (f"enclave ping {lwks[0]}", "host to LWK and back through shared memory"),
            (f"enclave log {lwks[0]}", "its kernel log, also after its death"),
            (f"enclave console {lwks[-1]}", "its serial console"),
        ]
    commands += [("enclave status", "this table"), ("enclave down", "end it")]
    width = max(len(command) for command, _ in commands)
    return "\n".join(["next:", *(f"  {command:{width}}  {what}" for command, what in commands)])
