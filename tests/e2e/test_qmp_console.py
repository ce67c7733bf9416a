# SPDX-License-Identifier: Apache-2.0
"""`enclave qmp`, as a person and a script use it."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave
from orchestrator.qmp_completion import suggest
from orchestrator.qmp_session import Session
from tests.e2e.conftest import ROOT, CommandLine
from tests.screen import Screen

Open = Callable[..., Screen]
UP = "\x1b[A"
CTRL_C, CTRL_D = "\x03", "\x04"


@pytest.fixture
def state(tmp_path: Path) -> Path:
    return tmp_path / "state"


@pytest.fixture
def open_qmp(duo: Enclave, duo_command: CommandLine, state: Path) -> Iterator[Open]:
    """Starts `enclave qmp` in a terminal, and waits for its prompt."""
    with ExitStack() as screens:

        def start(partition: str, rows: int = 30, **environment: str) -> Screen:
            screen = Screen(
                [str(duo_command.program), "qmp", "-e", duo.name, partition],
                duo_command.environment | {"XDG_STATE_HOME": str(state)} | environment,
                ROOT,
                columns=110,
                rows=rows,
            )
            screens.enter_context(screen)
            screen.until(f"{partition}> ")
            return screen

        yield start


def script(
    command: CommandLine, enclave: Enclave, *words: str, stdin: str = ""
) -> tuple[int, list[dict[str, Any]], str]:
    """Its exit status, its answers, and what it complained of."""
    done = command("qmp", "-e", enclave.name, *words, stdin=stdin.encode())
    return done.returncode, [json.loads(line) for line in done.stdout.splitlines()], done.stderr.decode()


def heard(enclave: Enclave, partition: str) -> list[str]:
    """The names of QMP events and of the supervisor's, of the whole run."""
    events = [json.loads(line) for line in enclave.run.events.read_text().splitlines()]
    return [each["event"] for each in events if each["partition"] == partition]


# ---- the prompt ----


def test_types_are_shown_while_typing_and_tab_completes(open_qmp: Open) -> None:
    screen = open_qmp("lwk0")
    screen.type("set-action re")
    screen.until("reboot=", "reset|shutdown, optional")
    screen.type("\t")
    screen.until("lwk0> set-action reboot=")
    screen.type("sh")
    screen.until("shutdown")
    screen.type(CTRL_C)
    screen.type("blockdev-add driver=raw file.driver=null-co file.si")
    screen.until("size=", "int, optional")
    screen.type(CTRL_C)


def test_what_is_wrong_is_told_exactly_and_not_sent(duo: Enclave, open_qmp: Open) -> None:
    screen = open_qmp("lwk0")
    for line, error in (
        ("stopp", "error: QEMU has no command 'stopp'"),
        ("stop now=true", "error: stop has no argument 'now'"),
        ("set-action reboot=later", "error: set-action: reboot=later is none of its 2 values"),
        ("memsave val=x size=1 filename=/tmp/x", "error: memsave: val=x is not of type int"),
        ("@lwk7 stop", f"error: enclave {duo.name} has no partition 'lwk7'"),
        (":quitt", "error: there is no :quitt"),
    ):
        screen.type(f"{line}\r")
        screen.until(error)
    screen.type("query-status\r")
    screen.until('{"status": "running", "singlestep": false, "running": true}')


def test_answers_of_all_stand_beside_their_names_in_their_colours(duo: Enclave, open_qmp: Open) -> None:
    screen = open_qmp("lwk0")
    screen.type("@all query-name\r")
    screen.until(*(f'"{duo.name}-{name}"' for name in ("host", "lwk0", "lwk1")))
    assert len({screen.colour_of(name) for name in ("host {", "lwk0 {", "lwk1 {")}) == 3
    screen.type("@lwk0,host\r")
    screen.until("lwk0,host> ")
    screen.type("query-name\r")
    screen.until_true(lambda: screen.text.count(f'"{duo.name}-host"') == 2, "answer for both")


def test_without_colours(duo: Enclave, open_qmp: Open) -> None:
    screen = open_qmp("lwk0", NO_COLOR="1")
    screen.type("@all query-name\r")
    screen.until(f'"{duo.name}-lwk1"')
    assert {screen.colour_of(name) for name in ("host {", "lwk0 {", "lwk1 {")} == {"default"}


def test_help_hmp_and_save(open_qmp: Open, tmp_path: Path) -> None:
    screen = open_qmp("lwk0", rows=60)
    screen.type(":help\r")
    screen.until(":hmp", ":save", ":quit", "@lwk1 stop")
    screen.type(":help memsave\r")
    screen.until("cpu-index            int, optional")
    screen.type(f":save {tmp_path / 'early'}\r")
    screen.until("there is no answer yet to save")
    screen.type(":hmp info roms\r")
    screen.until("mem=rom")
    screen.type(f":save {tmp_path / 'roms'}\r")
    screen.until("characters")
    assert "mem=rom" in (tmp_path / "roms").read_text()
    screen.type("query-status\r")
    screen.until('"running": true')
    screen.type(f":save {tmp_path / 'status.json'}\r")
    screen.until("status.json: ")
    assert json.loads((tmp_path / "status.json").read_text())["status"] == "running"
    screen.type(f":save {tmp_path / 'no' / 'such'}\r")
    screen.until("No such file or directory")


def test_what_was_typed_is_kept_for_the_next_console(open_qmp: Open, state: Path) -> None:
    screen = open_qmp("lwk0")
    screen.type("query-uuid\r")
    screen.until('"UUID"')
    # Before the prompt is there Ctrl-D is the terminal's, which nobody reads.
    screen.until_true(lambda: screen.text.endswith("lwk0>"), "show the prompt again")
    screen.type(CTRL_D)
    assert screen.until_end() == 0
    again = open_qmp("host")
    again.type(UP)
    again.until("host> query-uuid")
    again.type("\r")
    again.until('"UUID"')
    assert (state / "enclave" / "qmp-history").stat().st_mode & 0o077 == 0


# ---- what a person may break ----


def test_stop_is_no_hang_and_cont_goes_on(duo: Enclave, open_qmp: Open) -> None:
    screen = open_qmp("lwk0")
    screen.type("stop\r")
    screen.until("lwk0 (paused)> ")
    assert duo.partition("lwk0")["paused"]
    screen.type("cont\r")
    screen.until("lwk0 RESUME")
    screen.until_true(lambda: screen.text.endswith("lwk0>"), "show the prompt as before")
    assert not duo.partition("lwk0")["paused"]
    duo.host.succeed("ikcctl", "ping", "-c", "1", "-W", "30", "lwk0")


def test_quit_is_asked_for_named_and_survived(duo: Enclave, open_qmp: Open) -> None:
    screen, other = open_qmp("lwk1"), open_qmp("host")
    screen.type("quit\r")
    screen.until("end the QEMU of lwk1? (`:quit` leaves this console) [y/N]")
    screen.type("n\r")
    screen.type("query-status\r")
    screen.until('"running": true')
    other.type("query-sta")
    screen.type("quit\r")
    screen.until_true(lambda: screen.text.count("[y/N]") == 2, "ask again")
    screen.type("y\r")
    screen.until("lwk1 is EXITED: QEMU was told to quit (QMP quit)", "lwk1 (EXITED)> ")
    other.until("lwk1 is EXITED: QEMU was told to quit (QMP quit)", "host> query-sta")
    assert other.colour_of("lwk1") != other.colour_of("host")
    screen.type("query-status\r")
    screen.until("no QEMU runs lwk1: it is EXITED", "`enclave restart lwk1` boots it again")
    duo.restart("lwk1")
    screen.until("lwk1 its monitor answers", "lwk1 is READY")
    screen.type("query-status\r")
    screen.until_true(lambda: screen.text.count('"running": true') == 2, "answer after the restart")


def test_system_reset_begins_a_life_and_links_run_again(duo: Enclave, open_qmp: Open) -> None:
    before = duo.partition("lwk1")["incarnation"]
    screen = open_qmp("lwk1")
    screen.type("system_reset\r")
    screen.until("lwk1 is BOOTING", "lwk1 is READY")
    assert duo.partition("lwk1")["incarnation"] == before + 1
    duo.wait_for_state("lwk1", "READY")
    duo.host.succeed("ikcctl", "ping", "-c", "1", "-W", "30", "lwk1")


def test_two_consoles_on_one_partition(open_qmp: Open) -> None:
    one, other = open_qmp("lwk0"), open_qmp("lwk0")
    for number in range(3):
        for screen in (one, other):
            screen.type("query-kvm\r")
        for screen in (one, other):
            screen.until_true(lambda s=screen, n=number: s.text.count('"enabled"') > n, "answer")  # type: ignore[misc]


def test_ctrl_c_ends_the_wait_and_not_the_console(duo: Enclave, open_qmp: Open) -> None:
    screen = open_qmp("lwk0")
    screen.type("query-uuid\r")
    screen.until('"UUID"')
    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(str(duo.run.qmp_socket("lwk0")))
        assert b"QMP" in holder.recv(4096)
        screen.type("query-status\r")
        # The supervisor has a monitor of its own.
        duo.fault("lwk0", "pause")
        duo.fault("lwk0", "continue")

        def given_up() -> bool:
            # Too early, it gives up the line that is being typed.
            if not screen.text.endswith("lwk0>"):
                screen.type(CTRL_C)
            return "not waited for any longer" in screen.text

        screen.until_true(given_up, "give up")
    screen.type("query-kvm\r")
    screen.until('"enabled"')
    screen.type(":quit\r")
    assert screen.until_end() == 0


# ---- scripts ----


def test_answers_of_a_script_are_lines_of_json(duo: Enclave, duo_command: CommandLine) -> None:
    status, answers, _ = script(
        duo_command, duo, "lwk0", "-c", "query-name", "-c", ":hmp info name", "-c", "@all query-name"
    )
    assert status == 0
    assert answers[0] == {"partition": "lwk0", "return": {"name": f"{duo.name}-lwk0"}}
    assert answers[1] == {"partition": "lwk0", "return": f"{duo.name}-lwk0\r\n"}
    assert [each["partition"] for each in answers[2:]] == ["host", "lwk0", "lwk1"]
    piped = script(duo_command, duo, stdin='query-name\n\n@lwk1 {"execute": "query-name"}\n')
    assert [each["return"]["name"] for each in piped[1]] == [
        f"{duo.name}-{name}" for name in ("host", "lwk1")
    ]


def test_a_script_ends_with_the_status_of_the_first_that_fails(
    duo: Enclave, duo_command: CommandLine
) -> None:
    status, answers, errors = script(
        duo_command, duo, "lwk0", "-c", "query-name", "-c", "qom-get path=/nix property=x", "-c", "query-name"
    )
    assert (status, len(answers)) == (1, 2)
    assert answers[1]["error"] == {"class": "DeviceNotFound", "desc": "Device '/nix' not found"}
    assert "enclave: lwk0: Device '/nix' not found" in errors


def test_a_mistake_in_the_last_command_is_found_before_the_first_is_sent(
    duo: Enclave, duo_command: CommandLine
) -> None:
    stopped = heard(duo, "lwk0").count("STOP")
    status, answers, errors = script(duo_command, duo, "lwk0", "-c", "stop", "-c", "set-action reboot=x")
    assert (status, answers) == (2, [])
    assert "set-action: reboot=x is none of its 2 values" in errors
    assert heard(duo, "lwk0").count("STOP") == stopped


# ---- the whole schema ----


def test_everything_that_qemu_knows_can_be_completed(duo: Enclave) -> None:
    schema = Session(duo.client, ["lwk0"]).load_schema(["lwk0"])
    assert schema is not None
    assert len(schema.commands) > 150
    for command in schema.commands:
        assert command in {each.text for each in suggest(schema, ["lwk0"], {}, command)}
        arguments = list(suggest(schema, ["lwk0"], {}, f"{command} "))
        assert bool(arguments) == bool(schema.usage(schema.argument_type(command)))
        assert all(each.meta for each in arguments)
        for each in arguments:
            list(suggest(schema, ["lwk0"], {}, f"{command} {each.text}"))
