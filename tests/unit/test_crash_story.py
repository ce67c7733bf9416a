# SPDX-License-Identifier: Apache-2.0
"""What a person sees of a crash, looked at whole; and which of a CPU's frames it tells of."""

from typing import Any

import click
import pytest

from orchestrator.crash_cpus import frames_of_interest, where_it_died
from orchestrator.crash_story import listed
from orchestrator.crash_story import screen as coloured

OOPS = """\
[    9.1] BUG: kernel NULL pointer dereference, address: 0000000000000000
[    9.2] RIP: 0010:bad_driver_write+0x12/0x40 [bad]
[    9.3] Call Trace:
[    9.4]  <TASK>
[    9.5]  vfs_write+0xb9/0x3e0
[    9.9] Kernel panic - not syncing: Fatal exception
"""
PANIC = """\
[   11.4] Kernel panic - not syncing: panic asked for by the monitor
[   11.5] Call Trace:
[   11.5]  <TASK>
[   11.5]  dump_stack_lvl+0x44/0x5c
[   11.5]  panic+0x118/0x2f4
[   11.5]  ? rescuer_thread+0x3a0/0x3a0
[   11.5]  mailbox_serve.cold+0xc/0xc [ikc]
[   11.5]  process_one_work+0x1c4/0x380
"""


def frame(function: str, file: str = "", line: int = 0, **others: Any) -> dict[str, Any]:
    plain = {"address": "ffffffff80200000", "sure": True, "inlined": False}
    return plain | {"function": function, "file": file, "line": line} | others


def cpu(number: int, *frames: dict[str, Any], **others: Any) -> dict[str, Any]:
    plain = {
        "cpu": number,
        "qemu_cpu": number - 1,
        "state": "running",
        "interrupts_off": False,
        "died": False,
    }
    return plain | {"no_way": "", "registers": {}, "frames": list(frames), "end": ""} | others


DEAD = cpu(
    1,
    frame("panic_with", "lwk/kernel/panic.c", 190),
    frame("panic_at", "lwk/kernel/panic.c", 207),
    frame("panic_page_fault", "lwk/arch/x86_64/trap.c", 80, inlined=True),
    frame("trap_dispatch", "lwk/arch/x86_64/trap.c", 130),
    frame("trap_common", "lwk/arch/x86_64/trap_entry.S", 60),
    frame("probe", "lwk/arch/x86_64/include/arch/cpu.h", 20, inlined=True),
    frame("page_free", "lwk/kernel/page_alloc.c", 210),
    frame("main", "lwk/kernel/main.c", 40, sure=False),
    died=True,
    interrupts_off=True,
)
PARKED = (
    frame("park", "lwk/kernel/panic.c", 69, inlined=True),
    frame("panic_park", "lwk/kernel/panic.c", 75),
    frame("trap_common", "lwk/arch/x86_64/trap_entry.S", 60),
    frame("halt", "lwk/arch/x86_64/include/arch/cpu.h", 50, inlined=True),
    frame("cpu_idle", "lwk/kernel/cpu.c", 69),
)


def story(**changes: Any) -> dict[str, Any]:
    ring = {"waiting": 0}
    there = {"state": "INIT", "rings": {"control": ring, "data": {"waiting": 3}}}
    return {
        "enclave": "duo",
        "number": 4,
        "bundle": "/run/duo/crash/4-lwk0",
        "partition": "lwk0",
        "kernel": "lwk",
        "fault": "panic",
        "reason": "guest panicked: page fault: read at 0x10",
        "panic_text": "panic: page fault: read at 0x10\nCPU 0, node 0",
        "t": 12.3456,
        "uptime_s": 11.0,
        "incarnation": 2,
        "where": {"cpu": 1, "function": "page_free", "file": "lwk/kernel/page_alloc.c", "line": 210},
        "cpus": [DEAD, *(cpu(number, *PARKED, state="halted") for number in (2, 3))],
        "links": [{"peer": "host", "here": {"state": "RUN"}, "there": there}],
        "others": [{"name": "host", "state": "READY", "reason": ""}],
        "last_lines": [{"t": 12.3, "partition": "lwk0", "text": "panic: page fault: read at 0x10"}],
        "left_out": [],
    } | changes


def screen(told: dict[str, Any]) -> str:
    return click.unstyle(coloured(told))


def test_screen_of_a_panic() -> None:
    assert screen(story()) == (
        "lwk0 panicked, 12.35 s after `up`, 11.00 s into its life 2  (lwk; crash 4 of enclave duo)\n"
        "why      panic: page fault: read at 0x10\n"
        "where    page_free, lwk/kernel/page_alloc.c:210 on CPU 1\n"
        "CPUs     1: probe      lwk/arch/x86_64/include/arch/cpu.h:20  (inlined)\n"
        "            page_free  lwk/kernel/page_alloc.c:210\n"
        "            main       lwk/kernel/main.c:40  (perhaps)\n"
        "         2-3: stopped by the panic in cpu_idle, lwk/kernel/cpu.c:69\n"
        "links    host RUN, at its end INIT; 3 slots of host's data ring not taken\n"
        "others   host READY\n"
        "console      12.300  lwk0  panic: page fault: read at 0x10\n"
        "all      /run/duo/crash/4-lwk0\n"
        "next     enclave dump lwk0 FILE -e duo  its memory for gdb, before a restart\n"
        "         enclave restart lwk0 -e duo    boots it again; the others run on"
    )


def test_screen_of_a_triple_fault_says_what_was_in_the_way() -> None:
    broken = DEAD | {"no_way": "its IDT at 0x0 ends"}
    text = screen(story(fault="triple fault", panic_text="", reason="reset", cpus=[broken]))
    assert text.splitlines()[0].startswith("lwk0 met a triple fault, 12.35 s")
    assert "why      CPU 1: its IDT at 0x0 ends\n         reset\n" in text


def test_screen_of_a_killed_qemu_says_what_is_not_known() -> None:
    gone = story(
        fault="exit", panic_text="", reason="QEMU was killed", cpus=[], where=None, left_out=["registers"]
    )
    text = screen(gone)
    assert "lwk0 ended unasked" in text
    assert "where    not known" in text
    assert "lacks    registers\n" in text
    assert "CPUs" not in text
    assert "dump" not in text


def test_screen_of_a_large_partition_is_still_one() -> None:
    many = [cpu(n, frame(f"f{n % 40}", "a.c", n % 40)) for n in range(192)]
    links = [
        {"peer": f"lwk{n}", "here": {"state": "RUN"}, "there": {"state": "RUN", "rings": {}}}
        for n in range(40)
    ]
    others = [{"name": f"lwk{n}", "state": "HUNG" if n == 7 else "READY", "reason": ""} for n in range(40)]
    lines = [{"t": 1.0, "partition": "lwk0", "text": "x" * 500}] * 7
    text = screen(
        story(cpus=[DEAD, *many], links=links, others=others, last_lines=lines, left_out=["a"] * 50)
    )
    assert len(text.splitlines()) <= 35
    assert max(map(len, text.splitlines())) <= 120
    assert "... and 34 more places: see backtraces.txt" in text
    assert "links    40 RUN" in text
    assert "others   39 READY, lwk7 HUNG\n" in text


def test_several_are_a_line_each() -> None:
    table = listed([story(), story(number=5, where=None, fault="exit", reason="QEMU ended")]).splitlines()
    assert table[0].split() == ["CRASH", "AFTER", "PARTITION", "FAULT", "WHERE", "WHY"]
    assert table[1].split()[:6] == ["4", "12.35", "s", "lwk0", "panic", "page_free,"]
    assert table[2].split()[4:6] == ["exit", "-"]


def test_a_cpu_tells_of_what_it_did_and_not_of_its_panic() -> None:
    assert [each["function"] for each in frames_of_interest(DEAD["frames"])] == ["probe", "page_free", "main"]
    called = [frame("finish"), frame("panic"), frame("obey"), frame("trap_common"), frame("cpu_idle")]
    assert [each["function"] for each in frames_of_interest(called)] == ["obey", "trap_common", "cpu_idle"]
    assert frames_of_interest([frame("panic")]) == [frame("panic")]
    assert frames_of_interest([]) == []


def test_where_is_the_first_line_of_code_that_is_no_header() -> None:
    where = where_it_died([cpu(2, *PARKED), DEAD], "")
    assert where is not None
    assert (where["cpu"], where["function"], where["line"]) == (1, "page_free", 210)
    assert where_it_died([], "") is None
    assert where_it_died([cpu(1, frame("", ""), died=True)], "") is None


@pytest.mark.parametrize(
    ("log", "function"), [(OOPS, "bad_driver_write"), (PANIC, "mailbox_serve.cold"), ("Call Trace:\n", None)]
)
def test_linux_says_itself_where(log: str, function: str | None) -> None:
    where = where_it_died([], log)
    assert (where and where["function"]) == function
