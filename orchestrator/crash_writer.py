# SPDX-License-Identifier: Apache-2.0
"""The program that makes a crash bundle (crash_folder.py) of what was taken (crash_taken.py).

crashes.py starts it. It reads what it is told in a memfd, the region as it was and the region as it is; it
writes the draft of the bundle, and renames it when it is complete and on disk. Killed half-way it leaves
nothing that is taken for a bundle.
"""

import json
import mmap
import os
import pickle
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from orchestrator.crash_cpus import cpus_of, where_it_died
from orchestrator.crash_folder import STORY, draft_of, forget_old
from orchestrator.crash_story import backtraces_as_text
from orchestrator.crash_taken import Taken
from orchestrator.ikc import LogReader, Region
from orchestrator.ikc_links import LinkReader, as_lines
from orchestrator.merged_consoles import ConsoleLine, as_text, merge_consoles
from orchestrator.partition import Fault
from orchestrator.records import as_json

OWN_BYTES = 256 << 10  # of a text of the partition itself
OTHER_BYTES = 64 << 10  # of one of another's
LAST_LINES = 7  # of the merged consoles, in the story
OWN_LINES = 3  # of these at least, the partition's own


class Writer:
    """`frozen` has the partition's own pages and both ends of its links as they were; `live` is the rest."""

    def __init__(self, taken: Taken, frozen: Region, live: Region) -> None:
        self._taken = taken
        self._frozen = frozen
        self._live = live
        self._names = [each.name for each in taken.plan.partitions]
        self._left_out = list(taken.machinery.missing)
        self._bundle = taken.run.crashes / f"{taken.number}-{taken.name}"
        self._draft = draft_of(self._bundle)

    def write(self) -> None:
        begun = time.monotonic()
        taken = self._taken
        self._copy_files()
        logs = self._write_kernel_logs()
        consoles = self._write_consoles()
        links = LinkReader(self._frozen, self._names).links(taken.partition)
        self._text("links.txt", "\n".join(as_lines(taken.name, links)))
        status = self._frozen.status(taken.partition)
        kernel_cpu = status.panic_cpu if status.state == "PANICKED" else None
        panic_text = status.panic_text if status.state == "PANICKED" else ""
        cpus = cpus_of(taken, kernel_cpu)
        if cpus:
            self._text("backtraces.txt", backtraces_as_text(cpus))
        story = {
            "enclave": taken.run.name,
            "number": taken.number,
            "bundle": str(self._bundle),
            "partition": taken.name,
            "kernel": taken.plan.partitions[taken.partition].kind.value,
            "kernel_file": str(taken.kernel),
            "fault": self._fault(cpus),
            "state": taken.state,
            "reason": taken.reason,
            "panic_text": panic_text,
            "t": round(taken.t, 6),
            "at": taken.at,
            "incarnation": taken.incarnation,
            "uptime_s": round(taken.uptime_s, 6),
            "where": where_it_died(cpus, self._linux_words(logs, consoles), taken.module),
            "cpus": cpus,
            "links": links,
            "others": [
                {"name": name, "state": state, "reason": reason} for name, state, reason in taken.others
            ],
            "last_lines": [line._asdict() for line in _last(consoles, taken.name, panic_text.splitlines())],
            "qemu": {"version": taken.machinery.version, "status": taken.machinery.status},
            "left_out": self._left_out,
            "written_s": round(time.monotonic() - begun, 3),
        }
        self._text(STORY, json.dumps(story, indent=2) + "\n")
        self._complete()

    def _linux_words(self, logs: Mapping[str, str], consoles: Sequence[ConsoleLine]) -> str:
        """What a Linux that panicked wrote: its log, but that ends early if the panic is told there last."""
        taken = self._taken
        if taken.fault != Fault.PANIC or not taken.plan.partitions[taken.partition].kind.runs_linux:
            return ""
        console = "\n".join(line.text for line in consoles if line.partition == taken.name)
        return console if "Call Trace:" in console else logs[taken.name]

    def _fault(self, cpus: Sequence[Mapping[str, Any]]) -> str:
        """A reset is a triple fault if a CPU could not have taken an exception."""
        if self._taken.fault == Fault.RESET and any(cpu["no_way"] for cpu in cpus):
            return "triple fault"
        return self._taken.fault

    # ---- files ----

    def _copy_files(self) -> None:
        taken, run = self._taken, self._taken.run
        self._text("plan.json", json.dumps(as_json(taken.plan), indent=2) + "\n")
        self._text("command.txt", taken.command)
        self._text("registers.txt", taken.machinery.registers)
        self._tail("qemu.stderr", run.qemu_stderr(taken.name), OWN_BYTES)
        self._tail("events.log", run.events, OWN_BYTES)

    def _text(self, name: str, text: str) -> None:
        if text:
            (self._draft / name).write_text(text)

    def _tail(self, name: str, source: Path, most: int) -> None:
        try:
            with source.open("rb") as file:
                size = file.seek(0, os.SEEK_END)
                file.seek(max(0, size - most))
                data = file.read(most)
        except OSError as error:
            self._left_out.append(f"{name}: {error.strerror}")
            return
        if size > most:
            self._left_out.append(f"{name}: its first {size - most} bytes")
        (self._draft / name).write_bytes(data)

    def _write_kernel_logs(self) -> dict[str, str]:
        logs = {}
        for index, name in enumerate(self._names):
            own = index == self._taken.partition
            text = LogReader(self._frozen if own else self._live, index).read()
            if len(text) > OTHER_BYTES and not own:
                self._left_out.append(f"kernel log of {name}: its first {len(text) - OTHER_BYTES} bytes")
                text = text[-OTHER_BYTES:]
            logs[name] = text.decode(errors="replace")
            if text:
                (self._draft / f"kernel-{name}.log").write_bytes(text)
        return logs

    def _write_consoles(self) -> list[ConsoleLine]:
        logs = {name: self._taken.run.console_log(name) for name in self._names}
        most = {name: OWN_BYTES if name == self._taken.name else OTHER_BYTES for name in self._names}
        merged = merge_consoles(logs, most)
        self._left_out += merged.left_out
        width = max(map(len, self._names))
        self._text("consoles.log", "".join(as_text(line, width) + "\n" for line in merged.lines))
        return merged.lines

    def _complete(self) -> None:
        for path in self._draft.iterdir():
            _to_disk(path)
        _to_disk(self._draft)
        self._draft.rename(self._bundle)
        with suppress(OSError):
            forget_old(self._taken.run)


def _last(lines: Sequence[ConsoleLine], partition: str, report: Sequence[str]) -> list[ConsoleLine]:
    """The last of all, and among them some of the partition itself, however much the others said since.

    What a panic reports after its first line is in the story already.
    """
    told = tuple(line for line in report[1:] if line)
    new = [line for line in lines if line.partition != partition or not line.text.endswith(told)]
    own = [at for at, line in enumerate(new) if line.partition == partition][-OWN_LINES:]
    rest = [at for at in range(max(0, len(new) - LAST_LINES), len(new)) if at not in own]
    return [new[at] for at in sorted([*own, *rest[len(rest) + len(own) - LAST_LINES :]])]


def _to_disk(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _regions(taken: Taken, descriptors: Sequence[int]) -> Iterator[Region]:
    for descriptor in descriptors:
        yield Region(mmap.mmap(descriptor, 0, prot=mmap.PROT_READ), taken.layout)


def main(order: int, frozen: int, live: int) -> None:
    # The enclave comes first.
    os.nice(10)
    with open(order, "rb") as file:
        file.seek(0)
        taken: Taken = pickle.load(file)
    Writer(taken, *_regions(taken, (frozen, live))).write()


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
