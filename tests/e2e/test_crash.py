# SPDX-License-Identifier: Apache-2.0
"""What is told of partitions that die of a panic, a triple fault, a hang and a kill, as a person would ask.

All of it befalls one enclave: an LWK hangs, which takes seconds to be found out; meanwhile the other panics,
and in its next life meets a triple fault; the host panics while a program runs there; at last the QEMU of the
LWK that hangs is killed.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from elftools.elf.elffile import ELFFile
from elftools.elf.segments import NoteSegment

from orchestrator.lwk import LWK as LWK_FILE
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import ROOT, CommandLine

LWK = ROOT / "guest-kernels" / "lwk"
HUNG_WITHIN_S = 60.0
EXEC_WITHIN_S = 60.0

Story = dict[str, Any]


def line_of(file: str, text: str) -> int:
    """Of the only line of an LWK source that has this text."""
    (line,) = [at for at, line in enumerate((LWK / file).read_text().splitlines(), 1) if text in line]
    return line


class Run(NamedTuple):
    """What was seen while it ran; `stories` are in the order in which it happened."""

    enclave: Enclave
    command: CommandLine
    stories: list[Story]
    core: Path
    screen: str
    exec_status: int
    exec_complaint: str


@pytest.fixture(scope="module")
def run(enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Run]:
    core = tmp_path_factory.mktemp("crash") / "core"
    with enclave_factory(ROOT / "specs" / "duo.yaml") as enclave:
        command = CommandLine(enclave.run.runtime)
        enclave.fault("lwk1", "hang")
        enclave.fault("lwk0", "panic")
        enclave.wait_for_state("lwk0", "PANICKED")
        screen = command("crash", enclave.name).stdout.decode()
        dumped = command("dump", "lwk0", core, "-e", enclave.name)
        assert dumped.returncode == 0, dumped.stderr
        enclave.restart("lwk0")
        # It idles again, when a new life has begun: a function without a frame would hide its caller.
        enclave.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")
        enclave.fault("lwk0", "triple-fault")
        enclave.wait_for_state("lwk0", "EXITED")
        enclave.wait_for_state("lwk1", "HUNG", HUNG_WITHIN_S)
        status, complaint = work_until_it_panics(enclave, command)
        enclave.fault("lwk1", "kill")
        stories = enclave.crashes()
        enclave.client.down()
        yield Run(enclave, command, stories, core, screen, status, complaint)


def work_until_it_panics(enclave: Enclave, command: CommandLine) -> tuple[int, str]:
    working = command.start("exec", "-e", enclave.name, "host", "--", "sh", "-c", "echo works; sleep 1000")
    assert working.stdout is not None
    assert working.stdout.readline() == b"works\n"
    enclave.fault("host", "panic")
    _, complaint = working.communicate(timeout=EXEC_WITHIN_S)
    return working.returncode, complaint.decode()


def of(run: Run, fault: str, partition: str) -> Story:
    (story,) = [each for each in run.stories if (each["fault"], each["partition"]) == (fault, partition)]
    return story


def functions(cpu: dict[str, Any]) -> list[str]:
    return [frame["function"] for frame in cpu["frames"]]


def dead(story: Story) -> dict[str, Any]:
    (cpu,) = [each for each in story["cpus"] if each["died"]]
    return dict(cpu)


def test_each_fault_has_one_story(run: Run) -> None:
    told = sorted((story["partition"], story["fault"]) for story in run.stories)
    assert told == [
        ("host", "panic"),
        ("lwk0", "panic"),
        ("lwk0", "triple fault"),
        ("lwk1", "exit"),
        ("lwk1", "hang"),
    ]
    assert [story["number"] for story in run.stories] == [1, 2, 3, 4, 5]
    assert all(
        "registers" not in " ".join(each["left_out"]) for each in run.stories if each["fault"] != "exit"
    )


def test_panic_is_told_with_function_and_line(run: Run) -> None:
    story = of(run, "panic", "lwk0")
    where = story["where"]
    line = line_of("kernel/ikc_mailbox.c", 'panic("panic asked for by the monitor")')
    # CPU 0 of the LWK is CPU 1 of the node.
    assert (where["function"], where["file"], where["line"]) == ("obey", "lwk/kernel/ikc_mailbox.c", line)
    assert where["cpu"] == 1
    assert {"ikc_mailbox_look", "irq_dispatch", "trap_common", "cpu_idle"} <= set(functions(dead(story)))
    for other in story["cpus"][1:]:
        assert {"panic_park", "cpu_idle"} <= set(functions(other))
    assert story["panic_text"].startswith("panic: panic asked for by the monitor\n")
    assert {link["peer"]: link["here"]["state"] for link in story["links"]} == {"host": "RUN", "lwk1": "RUN"}
    assert story["links"][0]["there"]["counters"]["doorbells"] > 0


def test_screen_tells_a_person_all_of_that(run: Run) -> None:
    line = line_of("kernel/ikc_mailbox.c", 'panic("panic asked for by the monitor")')
    lines = run.screen.splitlines()
    assert lines[0].startswith("lwk0 panicked, ")
    assert lines[1] == "why      panic: panic asked for by the monitor"
    assert lines[2] == f"where    obey, lwk/kernel/ikc_mailbox.c:{line} on CPU 1"
    assert re.search(
        r"^ +2-3: stopped by the panic in cpu_idle, lwk/kernel/cpu\.c:\d+$", run.screen, re.MULTILINE
    )
    assert "links    host RUN, lwk1 RUN\n" in run.screen
    assert f"all      {run.enclave.run.crashes}/1-lwk0\n" in run.screen
    assert "enclave restart lwk0 -e " in lines[-1]
    assert len(lines) <= 30


def test_triple_fault_is_told_with_its_cause_and_place(run: Run) -> None:
    story = of(run, "triple fault", "lwk0")
    line = line_of("arch/x86_64/power.c", "lidt %0")
    where = story["where"]
    assert (where["function"], where["line"], where["cpu"]) == ("power_triple_fault", line, 1)
    assert dead(story)["no_way"] == "its IDT at 0x0 ends at byte 0x0, before the double fault's gate"
    assert {"ikc_mailbox_look", "trap_common", "cpu_idle"} <= set(functions(dead(story)))
    assert story["incarnation"] == 2


def test_hang_is_told_while_the_kernel_hangs(run: Run) -> None:
    story = of(run, "hang", "lwk1")
    where = story["where"]
    begin = line_of("kernel/ikc_mailbox.c", "asks this CPU to hang")
    assert (where["function"], where["cpu"]) == ("hang", 5)
    assert begin < where["line"] < begin + 5
    assert (dead(story)["state"], dead(story)["interrupts_off"]) == ("running", True)
    assert [each["state"] for each in story["cpus"][1:]] == ["halted", "halted"]


def test_linux_tells_by_its_own_words_and_symbols(run: Run) -> None:
    story = of(run, "panic", "host")
    assert story["reason"].endswith("Kernel panic - not syncing: panic asked for by the monitor")
    where = story["where"]
    assert where["function"].startswith("mailbox_serve")
    assert where["file"] == "linux/module/mailbox.c"
    assert "panic(" in (ROOT / "guest-kernels" / where["file"]).read_text().splitlines()[where["line"] - 1]
    assert "process_one_work" in functions(dead(story))
    other = next(cpu for cpu in story["cpus"] if not cpu["died"])
    assert functions(other)[0] == "stop_this_cpu"


def test_killed_qemu_says_what_went_with_it(run: Run) -> None:
    story = of(run, "exit", "lwk1")
    assert story["reason"] == "QEMU was killed by signal 9 (SIGKILL)"
    assert story["left_out"] == ["registers and stacks: they went with QEMU"]


def test_program_on_a_host_that_panics_ends_with_the_status_of_that(run: Run) -> None:
    assert run.exec_status == 4
    assert "host: guest panicked: Kernel panic - not syncing" in run.exec_complaint
    assert f"`enclave crash {run.enclave.name}` tells the story" in run.exec_complaint


def test_consoles_are_merged_on_one_clock(run: Run) -> None:
    lines = (Path(of(run, "panic", "host")["bundle"]) / "consoles.log").read_text().splitlines()
    times = [float(line.split()[0]) for line in lines]
    assert times == sorted(times)
    assert {line.split()[1] for line in lines} == {"host", "lwk0", "lwk1"}


def test_memory_is_dumped_with_the_registers_of_every_cpu(run: Run) -> None:
    with run.core.open("rb") as file:
        elf = ELFFile(file)
        notes = [
            note
            for segment in elf.iter_segments()
            if isinstance(segment, NoteSegment)
            for note in segment.iter_notes()
        ]
        assert elf["e_type"] == "ET_CORE"
    assert sum(note["n_name"] == "CORE" for note in notes) == 3
    if shutil.which("gdb"):
        command = ["gdb", "-batch", "-nx", "-ex", "bt", str(LWK_FILE), str(run.core)]
        done = subprocess.run(command, capture_output=True, text=True, check=True)
        assert re.search(r"ikc_mailbox_look \(\) at kernel/ikc_mailbox\.c", done.stdout)


def test_story_outlives_the_enclave_and_goes_with_its_folder(run: Run) -> None:
    name = run.enclave.name
    told = json.loads(run.command("crash", name, "-n", "1", "--json").stdout)
    assert told["where"] == run.stories[0]["where"]
    table = run.command("crash", name, "--list").stdout.decode().splitlines()
    assert [line.split()[0] for line in table[1:]] == ["1", "2", "3", "4", "5"]
    assert not list(run.enclave.run.crashes.glob(".*"))
