# SPDX-License-Identifier: Apache-2.0
"""A crash bundle's story (crash_writer.py) as text: one screen, a list of several, all backtraces. Pure."""

import textwrap
from collections.abc import Iterator, Mapping, Sequence
from itertools import groupby
from typing import Any

import click

from orchestrator.crash_cpus import frames_of_interest
from orchestrator.quantities import format_cpu_list
from orchestrator.table import columns, links

WIDTH = 110
FRAMES_SHOWN = 7
PLACES_SHOWN = 6  # lines about CPUs that did not die
OTHERS_SHOWN = 4  # partitions
LEFT_OUT_SHOWN = 3
WHAT = {
    "panic": "panicked",
    "hang": "hung",
    "triple fault": "met a triple fault",
    "reset": "was reset though nobody asked for that",
    "exit": "ended unasked",
}

Story = Mapping[str, Any]


def screen(story: Story) -> str:
    """What died, when, why, where, what the other CPUs and partitions did, and what to do next."""
    return "\n".join(line.rstrip() for line in _screen(story))


def _screen(story: Story) -> Iterator[str]:
    what = click.style(
        f"{story['partition']} {WHAT.get(story['fault'], story['fault'])}", fg="red", bold=True
    )
    when = f"{story['t']:.2f} s after `up`, {story['uptime_s']:.2f} s into its life {story['incarnation']}"
    yield f"{what}, {when}  ({story['kernel']}; crash {story['number']} of enclave {story['enclave']})"
    yield from _labelled("why", _why(story))
    yield from _labelled("where", _where(story))
    yield from _labelled("CPUs", _cpus(story["cpus"]))
    yield from _labelled("links", _links(story["links"]))
    yield from _labelled("others", [_others(story["others"])])
    yield from _labelled("console", _console(story["last_lines"]))
    left_out = story["left_out"]
    rest = [f"... and {len(left_out) - LEFT_OUT_SHOWN} more"] if len(left_out) > LEFT_OUT_SHOWN else []
    yield from _labelled("lacks", [*left_out[:LEFT_OUT_SHOWN], *rest])
    yield from _labelled("all", [story["bundle"]])
    yield from _labelled("next", _next(story))


def _labelled(label: str, lines: Sequence[str] | Iterator[str]) -> Iterator[str]:
    for at, line in enumerate(lines):
        shown = "" if at else label
        yield f"{click.style(f'{shown:8}', dim=True)} {line}"


def _why(story: Story) -> list[str]:
    """What the CPU shows, the kernel said, and the supervisor made of it, without repetition."""
    shown = [f"CPU {_number(cpu)}: {cpu['no_way']}" for cpu in story["cpus"] if cpu["no_way"]]
    said = [line for line in story["panic_text"].splitlines()[:1] if line]
    reason = story["reason"]
    if said and said[0].removeprefix("panic: ") in reason:
        reason = ""
    return [*shown, *said, *textwrap.wrap(reason, WIDTH - 9, break_long_words=False)]


def _where(story: Story) -> list[str]:
    where = story["where"]
    if where is None:
        return ["not known: nothing is left that tells"]
    cpu = f" on CPU {where['cpu']}" if where["cpu"] is not None else ""
    return [f"{click.style(_place(where), bold=True)}{cpu}"]


def _place(frame: Mapping[str, Any]) -> str:
    name = frame["function"] or f"0x{frame['address']}"
    return f"{name}, {frame['file']}:{frame['line']}" if frame["file"] else str(name)


def _number(cpu: Mapping[str, Any]) -> str:
    return f"{cpu['cpu']}" if cpu["cpu"] is not None else f"{cpu['qemu_cpu']} of QEMU"


def _cpus(cpus: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The dead one's frames, and of the others, those that do the same in one line, where they are."""
    for cpu in cpus:
        if cpu["died"]:
            yield from _frames(cpu)
    others = sorted((_doing(cpu), at) for at, cpu in enumerate(cpus) if not cpu["died"])
    groups = [
        (doing, [cpus[at] for _, at in group]) for doing, group in groupby(others, lambda each: each[0])
    ]
    groups.sort(key=lambda group: len(group[1]))
    for doing, alike in groups[:PLACES_SHOWN]:
        yield f"{_numbers(alike)}: {doing}"
    if len(groups) > PLACES_SHOWN:
        yield f"... and {len(groups) - PLACES_SHOWN} more places: see backtraces.txt"


def _numbers(cpus: Sequence[Mapping[str, Any]]) -> str:
    if any(cpu["cpu"] is None for cpu in cpus):
        return ", ".join(f"CPU {_number(cpu)}" for cpu in cpus)
    return f"{format_cpu_list(sorted(cpu['cpu'] for cpu in cpus))}"


def _frames(cpu: Mapping[str, Any]) -> Iterator[str]:
    frames = frames_of_interest(cpu["frames"])
    named = [frame for frame in frames if frame["function"] or frame["sure"]]
    head = f"{_number(cpu)}: "
    width = max((len(frame["function"]) for frame in named[:FRAMES_SHOWN]), default=0)
    for at, frame in enumerate(named[:FRAMES_SHOWN]):
        yield (head if at == 0 else " " * len(head)) + _frame(frame, width)
    if len(named) > FRAMES_SHOWN:
        yield " " * len(head) + f"... and {len(named) - FRAMES_SHOWN} more"


def _frame(frame: Mapping[str, Any], width: int) -> str:
    name = frame["function"] or f"0x{frame['address']}"
    at = f"{frame['file']}:{frame['line']}" if frame["file"] else ""
    notes = [*(["inlined"] if frame["inlined"] else []), *([] if frame["sure"] else ["perhaps"])]
    return f"{name:{width}}  {at}" + (f"  ({', '.join(notes)})" if notes else "")


def _doing(cpu: Mapping[str, Any]) -> str:
    state = cpu["state"]
    found = frames_of_interest(cpu["frames"])
    if len(found) < len(cpu["frames"]):
        state = "stopped by the panic"
    elif cpu["interrupts_off"] and state == "running":
        state += ", interrupts off,"
    frames = [frame for frame in found if not frame["file"].endswith(".h")]
    return f"{state} in {_place(frames[0])}" if frames else str(state)


def _links(found: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    """The ends as they were at the fault, on both sides; how many, if there are many."""
    if not found:
        return
    states = {link["peer"]: _link(link) for link in found}
    waiting = [
        f"{ring['waiting']} slots of {link['peer']}'s {name} ring not taken"
        for link in found
        for name, ring in link["there"]["rings"].items()
        if ring["waiting"]
    ]
    yield links(states) + (f"; {', '.join(waiting[:3])}" if waiting else "")


def _link(link: Mapping[str, Any]) -> str:
    here, there = link["here"]["state"], link["there"]["state"]
    return str(here) if here == there else f"{here}, at its end {there}"


def _others(others: Sequence[Mapping[str, Any]]) -> str:
    """Those that are well are counted if there are many."""
    if len(others) <= OTHERS_SHOWN:
        return ", ".join(f"{each['name']} {each['state']}" for each in others) or "-"
    unwell = [f"{each['name']} {each['state']}" for each in others if each["state"] != "READY"]
    rest = [f"{len(unwell) - OTHERS_SHOWN} more"] if len(unwell) > OTHERS_SHOWN else []
    return ", ".join([f"{len(others) - len(unwell)} READY", *unwell[:OTHERS_SHOWN], *rest])


def _console(lines: Sequence[Mapping[str, Any]]) -> list[str]:
    width = max((len(line["partition"]) for line in lines), default=0)
    shown = [f"{line['t']:10.3f}  {line['partition']:{width}}  {line['text']}" for line in lines]
    return [
        textwrap.shorten(line, WIDTH - 9, placeholder=" ...") if len(line) > WIDTH else line for line in shown
    ]


def _next(story: Story) -> list[str]:
    name, enclave = story["partition"], story["enclave"]
    commands = [(f"enclave restart {name} -e {enclave}", "boots it again; the others run on")]
    if story["fault"] != "exit":
        commands.insert(0, (f"enclave dump {name} FILE -e {enclave}", "its memory for gdb, before a restart"))
    width = max(len(command) for command, _ in commands)
    return [f"{command:{width}}  {what}" for command, what in commands]


# ---- several ----


def listed(stories: Sequence[Story]) -> str:
    """A line each, the oldest first."""
    rows = [
        (
            str(story["number"]),
            f"{story['t']:.2f} s",
            story["partition"],
            story["fault"],
            _place(story["where"]) if story["where"] else "-",
            textwrap.shorten(story["reason"], 60, placeholder=" ..."),
        )
        for story in stories
    ]
    return columns(("CRASH", "AFTER", "PARTITION", "FAULT", "WHERE", "WHY"), rows)


# ---- in a file ----


def backtraces_as_text(cpus: Sequence[Mapping[str, Any]]) -> str:
    return "\n".join(_backtraces(cpus)) + "\n"


def _backtraces(cpus: Sequence[Mapping[str, Any]]) -> Iterator[str]:
    for cpu in cpus:
        died = "; it died here" if cpu["died"] else ""
        interrupts = ", interrupts off" if cpu["interrupts_off"] else ""
        yield f"CPU {_number(cpu)}: {cpu['state']}{interrupts}{died}"
        if cpu["no_way"]:
            yield f"  {cpu['no_way']}"
        for name, value in cpu["registers"].items():
            yield f"  {name:3} {value}"
        for frame in cpu["frames"]:
            yield f"  {frame['address']}  {_frame(frame, 32)}"
        if cpu["end"]:
            yield f"  ({cpu['end']})"
        yield ""
