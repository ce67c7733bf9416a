# SPDX-License-Identifier: Apache-2.0
"""Where the time of a boot went: phases one after the other for each partition; pure.

Three clocks tell of it. The supervisor's events have seconds since the order to boot. A kernel's own clock
begins with its first instruction (Linux' some milliseconds later), and READY sets it on the supervisor's: the
supervisor saw it, and the status page says when it was by the kernel's clock. Init and kernels tell in the
kernel log what they did when. Whatever a guest says, its phases stay within what the supervisor saw.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from orchestrator.ikc import Status
from orchestrator.kinds import KernelKind

Event = Mapping[str, Any]

# images/init/times.c; the kernels' words for a link that runs: guest-kernels/lwk, guest-kernels/linux/module.
_TIMES = re.compile(r"init: times:((?: [A-Za-z-]{1,20} \d{1,6}\.\d{6})+)")
_LINK = re.compile(r"\[ *(\d{1,6}\.\d{6})\] ikc[^\n]{0,20}: link to ([a-z0-9-]{1,31})(?:: RUN| runs),")

# What was done at each of init's notes.
_INIT = {
    "kernel": "kernel",
    "file-systems": "init: file systems",
    "libraries": "init: libraries",
    "CPUs": "init: other CPUs",
    "drivers": "init: IKC module",
    "network": "init: network",
    "SSH-server": "init: SSH server",
}
_WAITING = ("its turn", "init: other CPUs", "init: SSH server")

Mark = tuple[str, float]  # a phase, and when it ended


class Phase(NamedTuple):
    """Seconds since the order to boot; `waits` says that it passes with waiting for somebody else."""

    name: str
    begin: float
    end: float
    waits: bool


class Boot(NamedTuple):
    """One life of a partition. `ready` is None, and a peer is not in `links`, if it has not come to that."""

    name: str
    phases: tuple[Phase, ...]
    ready: float | None
    links: dict[str, float]


def boot_of(name: str, kernel: str, events: Iterable[Event], status: Status, log: str) -> Boot:
    """The present life of a partition, by the run's events, its status page and its kernel log."""
    seen = _present_life(name, events)
    ready = seen.get("ready")
    if ready is None or not status.ready_ns:
        return Boot(name, _phases(_around(seen, kernel, None)), ready, {})
    zero = ready - status.ready_ns / 1e9
    inner = _of_linux(status, log) if KernelKind(kernel).runs_linux else _of_lwk(status)
    marks = [
        *_around(seen, kernel, zero),
        *((phase, zero + at) for phase, at in inner),
        ("READY is told" if KernelKind(kernel).runs_linux else "kernel: CPUs, READY", ready),
    ]
    return Boot(name, _phases(marks), ready, {peer: zero + at for peer, at in _links(log)})


def _present_life(name: str, events: Iterable[Event]) -> dict[str, float]:
    """When its life began, its QEMU was started and answered, and it was READY."""
    seen: dict[str, float] = {}
    for event in events:
        if event["partition"] == name:
            what = event["state"].lower() if event["event"] == "state" else event["event"]
            if what == "booting":
                seen.clear()
            seen.setdefault(what, event["t"])
    return seen


def _around(seen: Mapping[str, float], kernel: str, zero: float | None) -> Iterator[Mark]:
    """Up to the first instruction of the kernel, as the supervisor saw it."""
    names = {"booting": "supervisor" if KernelKind(kernel).runs_linux else "its turn", "started": "files"}
    for event, phase in (*names.items(), ("answered", "QEMU")):
        if event in seen:
            # The guest may run before the supervisor comes to hear that QEMU answers.
            yield phase, seen[event] if zero is None else min(seen[event], zero)
    if zero is not None:
        yield "firmware", zero


def _of_linux(status: Status, log: str) -> Iterator[Mark]:
    """By the kernel's clock. The module of the fabric begins while init loads drivers."""
    found = _TIMES.search(log)
    notes = found[1].split() if found else []
    for what, at in zip(notes[::2], notes[1::2], strict=True):
        if what == "drivers":
            yield "init: drivers", status.entry_ns / 1e9
        if what in _INIT:
            yield _INIT[what], float(at)


def _of_lwk(status: Status) -> Iterator[Mark]:
    yield "kernel", status.entry_ns / 1e9


def _links(log: str) -> Iterator[tuple[str, float]]:
    for found in _LINK.finditer(log):
        yield found[2], float(found[1])


def _phases(marks: Iterable[Mark]) -> tuple[Phase, ...]:
    """One after the other, whatever the marks say: the clocks do not agree to the last microsecond, and a
    guest may say anything."""
    phases: list[Phase] = []
    at = 0.0
    marks = list(marks)
    last = marks[-1][1] if marks else 0.0
    for name, end in marks:
        end = min(max(at, end), last)
        phases.append(Phase(name, at, end, name in _WAITING))
        at = end
    return tuple(phases)
