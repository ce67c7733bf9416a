# SPDX-License-Identifier: Apache-2.0
"""`enclave top`, watched in a terminal by somebody who works on kernels meanwhile."""

import json
import signal
import subprocess
import threading

import pytest

from orchestrator.pytest_plugin import Enclave
from orchestrator.run import RunFolder
from tests.e2e.conftest import CommandLine, build_program, install, leftovers
from tests.e2e.screen import Terminal, in_terminal

ALTERNATE_SCREEN, NORMAL_SCREEN, SHOW_CURSOR = "\x1b[?1049h", "\x1b[?1049l", "\x1b[?25h"
PROGRAM = "/tmp/ask_on"
ENDS_WITHIN_S = 30.0
PROGRAMS_S = 120.0  # to be seen, and to be gone


def row(lines: list[str], name: str) -> list[str]:
    """The words of a partition's row."""
    return next((line.split() for line in lines if line.startswith(f"{name} ")), [])


def watch(duo: Enclave, command: CommandLine, terminal: Terminal) -> list[str]:
    """Until all three are shown, and Linux has said of itself."""

    def complete(lines: list[str]) -> bool:
        return all(row(lines, name)[1:2] == ["READY"] for name in ("host", "lwk0", "lwk1")) and (
            row(lines, "host")[6] != "-"
        )

    return terminal.wait_for(complete, "three READY partitions")


def test_views_keys_and_a_clean_end(duo: Enclave, duo_command: CommandLine) -> None:
    with in_terminal(
        duo_command.program, "top", "-e", duo.name, "-i", "0.3", environment=duo_command.environment
    ) as top:
        before = top.modes()
        lines = watch(duo, duo_command, top)
        assert lines[0].startswith(f"enclave {duo.name}, {duo.status()['accelerator']}, up ")
        assert lines[1].split()[:5] == ["PARTITION", "STATE", "CPUS", "RUN%", "RAM"]
        assert row(lines, "lwk1")[4] == "320M"
        assert row(lines, "lwk1")[-1] == "2/2"
        top.press("v")
        top.wait_for_text("HALT%")
        cpus = [
            *(["host", "0", "0"], ["host", "4", "1"]),
            *(["lwk0", str(cpu), str(cpu - 1)] for cpu in (1, 2, 3)),
            *(["lwk1", str(cpu), str(cpu - 5)] for cpu in (5, 6, 7)),
        ]
        top.wait_for(lambda lines: [line.split()[:3] for line in lines[2:10]] == cpus, "a row for each CPU")
        top.press("v")
        top.wait_for_text("THEIRS")
        top.wait_for(lambda lines: sum(" RUN " in line for line in lines) == 6, "six ends of links in RUN")
        top.press(" ")
        assert top.wait_for_text("PAUSED")[0].startswith("PAUSED")
        top.press(" s")
        top.wait_for_text("links by cpu")
        top.press("q")
        assert top.end() == 0
        assert top.modes() == before
    assert top.raw.index(ALTERNATE_SCREEN) < top.raw.index(NORMAL_SCREEN)
    assert top.raw.rindex(SHOW_CURSOR) > top.raw.rindex("THEIRS")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 130)])
def test_signal_leaves_the_terminal_as_it_was(
    duo: Enclave, duo_command: CommandLine, number: signal.Signals, status: int
) -> None:
    with in_terminal(duo_command.program, "top", "-e", duo.name, environment=duo_command.environment) as top:
        before = top.modes()
        top.wait_for_text("READY")
        if number is signal.SIGINT:
            top.press("\x03")
        else:
            top.child.kill(number)
        assert top.end() == status
        assert top.modes() == before
    assert top.raw.rstrip().endswith("interrupted")
    assert NORMAL_SCREEN in top.raw


def test_partition_that_dies_and_returns_is_followed(duo: Enclave, duo_command: CommandLine) -> None:
    with in_terminal(
        duo_command.program, "top", "-e", duo.name, "-i", "0.2", environment=duo_command.environment
    ) as top:
        watch(duo, duo_command, top)
        duo.fault("lwk0", "kill")
        lines = top.wait_for(lambda lines: row(lines, "lwk0")[1:2] == ["EXITED"], "the death of lwk0")
        assert any(line.startswith("lwk0: QEMU was killed by signal 9") for line in lines)
        assert row(lines, "lwk0")[3] == "-"
        assert row(lines, "lwk1")[1] == "READY"
        duo.restart("lwk0")
        life = f"{duo.partition('lwk0')['incarnation']}.1"
        top.wait_for(
            lambda lines: row(lines, "lwk0")[1:2] == ["READY"] and row(lines, "lwk0")[3] != "-",
            "its next life",
        )
        top.press("vv")
        top.wait_for(
            lambda lines: any(line.split()[:4] == ["lwk0", "lwk1", "RUN", life] for line in lines), life
        )
        top.press("q")
        assert top.end() == 0


def test_json_has_rates_of_real_traffic(duo: Enclave, duo_command: CommandLine) -> None:
    stream = ("ikcctl", "stream", "lwk0", "--to", "--count", "2000000")
    top = duo_command.start("top", "-e", duo.name, "--json", "--ping", "-i", "0.4")
    assert top.stdout is not None
    sending = duo_command.start("exec", "-e", duo.name, "host", "--", *stream)
    try:
        for line in top.stdout:
            found = json.loads(line)
            host, lwk0, lwk1 = found["partitions"]
            assert (host["name"], lwk0["name"]) == ("host", "lwk0")
            if (host["rates"]["sent"] or 0) > 100 and lwk0["ping_s"] and host["free_bytes"]:
                break
    finally:
        top.send_signal(signal.SIGINT)
        complaint = top.communicate()[1]
        sending.send_signal(signal.SIGINT)  # enough was seen
        sending.communicate(timeout=ENDS_WITHIN_S)
    assert (top.returncode, complaint) == (130, b"interrupted\n")
    assert lwk0["rates"]["received"] > 100
    assert lwk0["rates"]["received_bytes"] > lwk0["rates"]["received"]
    assert lwk1["rates"]["received"] == 0
    assert {link["peer"]: link["state"] for link in lwk0["links"]} == {"host": "RUN", "lwk1": "RUN"}
    assert sum(cpu["run"] for cpu in host["cpus"]) > 0.02
    assert all(cpu["run"] + cpu["wait"] + cpu["halt"] == pytest.approx(1, abs=0.01) for cpu in host["cpus"])
    assert host["resident_bytes"] > 64 << 20
    assert host["processes"] > 5
    assert 0 < lwk0["answer_s"] < 60


def test_programs_on_an_lwk_are_seen_while_they_run(
    duo: Enclave, duo_command: CommandLine, tmp_path_factory: pytest.TempPathFactory
) -> None:
    install(duo, build_program("ask_on", tmp_path_factory), PROGRAM)
    top = duo_command.start("top", "-e", duo.name, "--json", "-i", "0.3")
    watchdog = threading.Timer(PROGRAMS_S, top.kill)
    watchdog.start()
    assert top.stdout is not None
    lwk0s = (json.loads(line)["partitions"][1] for line in top.stdout)
    one = f"lwkexec -p lwk0 {PROGRAM} >/dev/null 2>&1 </dev/null & echo $! >>{PROGRAM}.pids"
    try:
        before = next(lwk0s)
        assert (before["processes"], before["threads"], before["offloads"]) == (0, 0, 0)
        duo.host.succeed("sh", "-c", f"{one}; {one}")
        during = next(each for each in lwk0s if each["processes"] == 2 and (each["offloads"] or 0) > 10)
        duo.host.succeed("sh", "-c", f"kill -KILL $(cat {PROGRAM}.pids)")
        after = next(each for each in lwk0s if (each["processes"], each["offloads"]) == (0, 0))
    finally:
        watchdog.cancel()
        top.send_signal(signal.SIGINT)
        top.communicate()
    assert during["threads"] == 2
    assert 0 < during["offload_s"] < PROGRAMS_S
    assert during["free_bytes"] < before["free_bytes"]
    assert (after["threads"], after["offload_s"]) == (0, None)
    assert during["free_bytes"] < after["free_bytes"] <= before["free_bytes"] < before["memory_bytes"]
    assert before["memory_bytes"] == during["memory_bytes"] == after["memory_bytes"] < before["ram_bytes"]


def test_once_prints_one_table_without_colours(duo: Enclave, duo_command: CommandLine) -> None:
    done = duo_command("top", "-e", duo.name, "--once", "-i", "0.2")
    assert done.returncode == 0
    lines = done.stdout.decode().splitlines()
    assert len(lines) == 5
    assert b"\x1b" not in done.stdout
    coloured = duo_command(
        "top", "-e", duo.name, "--once", "-i", "0.2", environment={"FORCE_COLOR": "1", "TERM": "xterm"}
    )
    assert b"\x1b[32mREADY" in coloured.stdout


def test_without_a_terminal_the_live_view_says_what_else_there_is(
    duo: Enclave, duo_command: CommandLine
) -> None:
    done = duo_command("top", "-e", duo.name)
    assert done.returncode == 2
    assert "--once" in done.stderr.decode()


def test_enclave_goes_away_under_a_watcher_and_its_qemus_start_again_by_hand(command: CommandLine) -> None:
    """The end of one enclave, and what is left of it, in a single boot."""
    assert command("up", "specs/solo.yaml", "-q").stdout == b""
    run = RunFolder("solo", command.runtime)
    with in_terminal(command.program, "top", environment=command.environment) as top:
        before = top.modes()
        top.wait_for_text("READY")
        assert command("down").returncode == 0
        assert top.end() == 0
        assert top.modes() == before
    assert top.raw.rstrip().endswith("enclave solo has ended: `enclave down`")

    repro = subprocess.Popen([run.repro], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    assert repro.stdout is not None
    watchdog = threading.Timer(120, repro.kill)
    watchdog.start()
    wanted = {"host     | [READY]", "lwk0     | [READY]"}
    told = []
    for line in repro.stdout:
        told.append(line.rstrip())
        wanted.discard(told[-1])
        if not wanted:
            break
    watchdog.cancel()
    assert not wanted, "\n".join(told)
    assert any("lwk: ready" in line for line in told)
    assert (run.path / "repro-host.sock").is_socket()
    second = subprocess.run([run.repro], capture_output=True, text=True, check=False)
    assert second.returncode == 2
    assert "runs already" in second.stderr
    assert not run.is_running()
    repro.send_signal(signal.SIGINT)
    repro.communicate(timeout=60)
    assert repro.returncode == 0
    assert leftovers(run) == []
