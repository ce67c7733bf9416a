# SPDX-License-Identifier: Apache-2.0
"""Status and plan as text for a terminal. Pure: data in, lines out; nothing here prints."""

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import click

from orchestrator.kinds import KernelKind
from orchestrator.quantities import format_cpu_list, format_size

STATE_COLOURS = {"READY": "green", "BOOTING": "yellow", "PANICKED": "red", "HUNG": "red", "EXITED": "red"}
DEBUGGED = {"waits": "waits for gdb", "stopped": "stopped by the debugger", "running": "in gdb"}
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
            state(partition["state"]) + _stopped(partition),
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


def _stopped(partition: dict[str, Any]) -> str:
    if partition.get("debugger"):
        return f" ({DEBUGGED[partition['debugger']]})"
    return " (paused)" if partition.get("paused") else ""


def placements(partitions: Iterable[dict[str, Any]], others: Sequence[int]) -> str:
    """Of those that have a place on this computer; "" if none has."""
    rows = [
        (each["name"], _processors(each["placement"]), _banks(each["placement"]["memory"]))
        for each in partitions
        if each["placement"]
    ]
    if rows and others:
        rows.append(("all else", format_cpu_list(others), "-"))
    return columns(("PLACED", "CPU: PROCESSOR", "NUMA NODE: PLACE OF ITS MEMORY"), rows) if rows else ""


def _processors(placement: dict[str, Any]) -> str:
    return ", ".join(f"{cpu}: {number}" for cpu, number in placement["processors"].items()) or "any"


def _banks(memory: Iterable[dict[str, Any]]) -> str:
    """`0: node 1, pages of 2M`"""
    return ", ".join(f"{chunk['node']}: {' '.join(_bank(chunk))}" for chunk in memory)


def _bank(chunk: dict[str, Any]) -> Iterator[str]:
    yield f"node {format_cpu_list(chunk['nodes'])}" if chunk["nodes"] else "any node"
    if chunk["hugepage_bytes"]:
        yield f"in pages of {format_size(chunk['hugepage_bytes'])}"


def doorbell_rules(rules: Iterable[dict[str, Any]]) -> str:
    """Which doorbells each rule means, what it does to them, and how many it did that to."""
    meant, faults, done = (
        ("from", "to", "vector"),
        ("drop", "duplicate"),
        ("dropped", "delayed", "duplicated"),
    )
    rows = [
        (
            str(rule["rule"]),
            *("any" if rule[key] is None else str(rule[key]) for key in meant),
            *(f"{rule[key]:g}" for key in faults),
            f"{rule['delay_s'] * 1000:g} ms",
            *(str(rule[key]) for key in ("seed", "met", *done)),
        )
        for rule in rules
    ]
    return columns([key.upper() for key in ("rule", *meant, *faults, "delay", "seed", "met", *done)], rows)


def next_commands(status: dict[str, Any]) -> str:
    """What to try on this enclave, with names that exist in it."""
    lwks = [each["name"] for each in status["partitions"] if not KernelKind(each["kernel"]).runs_linux]
    commands = [
        command
        for each in status["partitions"]
        if each.get("debugger") == "waits"
        for command in (
            (
                f"enclave gdb {each['name']}",
                "it waits before its first instruction",
            ),
            (f"enclave fault continue {each['name']}", "let it boot without gdb"),
        )
    ]
    commands += [("enclave ssh", "a shell on the Linux host")]
    if lwks:
        commands += [
            (f"enclave ping {lwks[0]}", "host to LWK and back through shared memory"),
            (f"enclave log {lwks[0]}", "its kernel log, also after its death"),
            (f"enclave console {lwks[-1]}", "its serial console"),
        ]
    commands += [("enclave status", "this table"), ("enclave down", "end it")]
    width = max(len(command) for command, _ in commands)
    return "\n".join(["next:", *(f"  {command:{width}}  {what}" for command, what in commands)])
