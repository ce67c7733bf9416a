# SPDX-License-Identifier: Apache-2.0
"""`enclave console` of several partitions: line by line on one clock, and on a split screen."""

import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import ROOT, CommandLine
from tests.screen import Screen

Open = Callable[..., Screen]
LEAVE, NEXT, CTRL_C, PAGE_UP = "\x1d", "\x1c", "\x03", "\x1b[5~"


@pytest.fixture
def open_console(duo: Enclave, duo_command: CommandLine) -> Iterator[Open]:
    """Starts `enclave console` in a terminal."""
    with ExitStack() as screens:

        def start(*words: str, columns: int = 110, rows: int = 30) -> Screen:
            command = [str(duo_command.program), "console", "-e", duo.name, *words]
            return screens.enter_context(Screen(command, duo_command.environment, ROOT, columns, rows))

        yield start


def say(enclave: Enclave, text: str) -> None:
    """Has the host's kernel print a line."""
    enclave.host.succeed("sh", "-c", f"echo '<0>{text}' > /dev/kmsg")


# ---- line by line ----


def test_all_consoles_line_by_line_with_the_times_of_the_log(duo: Enclave, open_console: Open) -> None:
    screen = open_console("--all")
    screen.until_said("consoles of host, lwk0, lwk1; leave them with Ctrl-]")
    say(duo, "first of the host")
    screen.until("first of the host")
    duo.fault("lwk1", "panic")
    screen.until("lwk1 [", "panic: panic asked for by the monitor")
    say(duo, "second of the host")
    screen.until("second of the host")
    order = ("first of the host", "panic: panic asked for", "second of the host")
    rows = [next(row for row, line in enumerate(screen.lines) if text in line) for text in order]
    assert rows == sorted(rows)
    # The third may have begun before the second, with the prompt of a shell.
    times = [float(re.findall(r"\[ *(\d+\.\d+)\]", screen.lines[row])[0]) for row in rows[:2]]
    assert times == sorted(times)
    assert f"[{times[1]:12.6f}] " in duo.run.console_log("lwk1").read_text()
    assert len({screen.colour_of(name) for name in ("host [", "lwk1 [")}) == 2
    screen.type(LEAVE)
    screen.until("left the consoles")
    assert screen.until_end() == 0


def test_only_those_that_are_named_and_ctrl_c_ends_it(duo: Enclave, open_console: Open) -> None:
    screen = open_console("host", "lwk0")
    screen.until_said("consoles of host, lwk0; leave")
    duo.restart("lwk1")
    screen.until("ikc: link to lwk1 runs")
    assert "lwk1 [" not in screen.text
    screen.type(CTRL_C)
    assert screen.until_end() == 130


def test_into_a_pipe_there_are_no_colours(duo: Enclave, duo_command: CommandLine) -> None:
    follower = duo_command.start("console", "-e", duo.name, "--all")
    assert follower.stdout is not None
    say(duo, "for the pipe")
    while b"for the pipe" not in (line := follower.stdout.readline()):
        assert line, "the consoles ended"
    assert re.fullmatch(rb"\[ *\d+\.\d{6}\] host \[.*\] for the pipe\n", line)
    follower.terminate()
    follower.communicate(timeout=60)


def test_several_viewers_see_and_use_the_same_console(open_console: Open) -> None:
    one, other, watcher = open_console("host"), open_console("host"), open_console("host", "lwk0")
    for screen in (one, other):
        screen.until_said("leave it with Ctrl-]")
    watcher.until_said("leave them")
    one.type("\recho $((6 * 7))-by-one\r")
    for screen in (one, other, watcher):
        screen.until("42-by-one")
    other.type("echo $((6 * 8))-by-other\r")
    for screen in (one, other, watcher):
        screen.until("48-by-other")


def test_no_console_is_named(duo: Enclave, duo_command: CommandLine) -> None:
    done = duo_command("console", "-e", duo.name)
    assert (done.returncode, done.stderr) == (
        2,
        b"enclave: which console?\n  hint: enclave console PARTITION, or --all\n",
    )


# ---- split ----


def test_on_a_split_screen_what_is_typed_goes_to_the_focus(duo: Enclave, open_console: Open) -> None:
    screen = open_console("lwk0", "host", "--split")
    screen.until("> lwk0", "Ctrl-\\ next", "  host")
    screen.type("this is for the LWK\r")
    screen.type(NEXT)
    screen.until("> host")
    screen.type("\recho $((6 * 9))-in-the-pane\r")
    screen.until("54-in-the-pane")
    assert "this is for the LWK" not in screen.text
    order = ("  lwk0", "> host", "54-in-the-pane")
    rows = [next(at for at, line in enumerate(screen.lines) if text in line) for text in order]
    assert rows == sorted(rows)
    duo.fault("lwk1", "panic")
    screen.until("ikc: link to lwk1 reset: the peer is dead")
    screen.type("for i in $(seq 60); do echo line $i; done\r")
    screen.until("line 60")
    screen.type(PAGE_UP)
    screen.until("host (scrolled)", "line 40")
    screen.resize(100, 10)
    screen.until("│", "> host")
    screen.type("echo $((6 * 6))-after\r")
    screen.until("36-after")
    screen.type(LEAVE)
    screen.until("left the consoles")
    assert screen.until_end() == 0


def test_split_needs_a_terminal(duo: Enclave, duo_command: CommandLine) -> None:
    done = duo_command("console", "-e", duo.name, "--all", "--split")
    assert done.returncode == 2
    assert b"--split needs a terminal" in done.stderr
