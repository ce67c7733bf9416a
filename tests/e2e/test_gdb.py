# SPDX-License-Identifier: Apache-2.0
"""gdb at real kernels, as a kernel developer drives it; in batch, but for what needs a terminal."""

import json
import os
import re
import signal
import socket
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pexpect
import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import ROOT, CommandLine

DEADLINE_S = 60
ATTEMPTS = 5
START = ROOT / "orchestrator" / "in_gdb" / "start.py"


def arguments(partition: str, name: str, *commands: str) -> list[str]:
    return ["gdb", partition, "-e", name, "--", "-batch", "-nx", *(w for c in commands for w in ("-ex", c))]


def run_gdb(duo: Enclave, partition: str, *commands: str) -> str:
    """What gdb prints; it ends with the last command, and the partition runs on."""
    done = CommandLine(duo.run.runtime)(*arguments(partition, duo.name, *commands))
    print(done.stdout.decode(), done.stderr.decode())
    assert b"Traceback" not in done.stderr + done.stdout
    return done.stdout.decode()


def run_gdb_at_rest(duo: Enclave, partition: str, *commands: str) -> str:
    """The same, when no CPU of the LWK was at work: the monitor probes it, and then one is for a moment."""
    for _ in range(ATTEMPTS):
        shown = run_gdb(duo, partition, *commands)
        if {row[4] for row in rows(shown, "CPU THREAD APIC NODE STATE")[:3]} == {"halted"}:
            break
    return shown


@contextmanager
def running_under_gdb(duo: Enclave, partition: str, *commands: str) -> Iterator[subprocess.Popen[bytes]]:
    """gdb, which has let the partition run and waits for a breakpoint."""
    gdb = CommandLine(duo.run.runtime).start(*arguments(partition, duo.name, *commands))
    try:
        wait_for_debugger(duo, partition, "running")
        yield gdb
    finally:
        gdb.kill()
        gdb.communicate()


def wait_for_debugger(duo: Enclave, partition: str, how: str | None) -> None:
    def found(status: dict[str, object]) -> bool:
        return bool(duo.partition(partition)["debugger"] == how)

    duo.wait_for(found, f"{partition} in gdb: {how}", DEADLINE_S)


def rows(text: str, header: str) -> list[list[str]]:
    """Of the table below a header, as far as its first cells have words without spaces."""
    lines = text.splitlines()
    at = next(
        number for number, line in enumerate(lines) if line.split()[: len(header.split())] == header.split()
    )
    return [line.split() for line in lines[at + 1 :]]


# ---- a lightweight kernel ----


def test_every_cpu_memory_log_and_links_of_an_lwk(duo: Enclave) -> None:
    shown = run_gdb_at_rest(
        duo,
        "lwk1",
        "info threads",
        "echo \\n",
        *(f"lwk {what}" for what in ("cpus", "ps", "backtrace all", "log", "memory", "map", "map $rsp")),
        "ikc links",
        "ikc rings lwk0",
    )
    assert len(re.findall(r"Thread 1\.\d \(CPU#\d", shown)) == 3
    cpus = rows(shown, "CPU THREAD APIC NODE STATE")[:3]
    assert [row[:5] for row in cpus] == [[str(n), str(n + 1), str(n), "0", "halted"] for n in range(3)]
    assert [row[1] for row in rows(shown, "CPU DOES WORK")[:3]] == ["idle"] * 3
    # To the very end, and no further.
    assert (
        len(
            re.findall(
                r"in (stack_switch|application_processor) \(\) at arch/x86_64/boot.S:\d+\n(?!#)", shown
            )
        )
        == 3
    )
    assert "Backtrace stopped" not in shown
    assert "lwk: ready\n" in shown
    memory = rows(shown, "NODE DOMAIN PAGES FREE")[:2]
    assert [0 < int(row[3]) <= int(row[2]) for row in memory] == [True, True]
    assert 64 << 8 >= int(memory[1][2]) > 63 << 8  # the hbm node has 64 MiB
    spaces = rows(shown, "ADDRESS TO PHYSICAL")
    text = next(row for row in spaces if row[0] == "0xffffffff80200000")
    assert (text[2], text[5:]) == ("0x200000", ["r-x", "kernel", "image"])
    assert [row[:3] for row in rows(shown, "PEER OURS THEIRS")[:2]] == [
        ["host", "RUN", "RUN"],
        ["lwk0", "RUN", "RUN"],
    ]
    assert "data     lwk1 -> lwk0" in shown
    assert duo.partition("lwk1")["state"] == "READY"


def test_messages_that_wait_in_a_ring(duo: Enclave) -> None:
    duo.fault("lwk0", "pause")
    for text in ("hello", "again"):
        duo.host.succeed("ikcctl", "send", "lwk0", "1", "--text", text)
    shown = run_gdb(duo, "lwk0", "ikc rings host")
    # gdb lets it run when it leaves, and it is paused again.
    duo.wait_for(lambda _: bool(duo.partition("lwk0")["paused"]), "lwk0 paused as before", DEADLINE_S)
    duo.fault("lwk0", "continue")
    ring = next(row for row in rows(shown, "RING FROM") if row[:4] == ["data", "host", "->", "lwk0"])
    assert ring[6:8] == ["2", "256"]
    assert re.search(r"^data host -> lwk0: port \d+ > 1, 5 bytes: 68 65 6c 6c 6f$", shown, re.MULTILINE)


def test_break_in_a_message_handler(duo: Enclave) -> None:
    commands = ("hbreak echo", "continue", "backtrace", "lwk ps", "ikc rings host", "finish", "detach")
    with running_under_gdb(duo, "lwk0", *commands) as gdb:
        duo.host.succeed("ikcctl", "send", "lwk0", "1", "--text", "hello")
        shown = gdb.communicate(timeout=DEADLINE_S)[0].decode()
    print(shown)
    assert re.search(
        r"hit Breakpoint 1, echo \(peer=0, message=0x[0-9a-f]+, payload=.*\) at kernel/ikc_echo.c:\d+", shown
    )
    assert re.search(
        r"#\d+ .*\bwork_list_run_one \(.*\) at kernel/work.c:\d+\n(#.*\n)?#\d+ .*\bcpu_idle \(\)", shown
    )
    assert rows(shown, "CPU DOES WORK")[0][1] == "work"
    assert "Value returned is" in shown
    wait_for_debugger(duo, "lwk0", None)
    duo.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")


def test_backtrace_through_an_interrupt(duo: Enclave) -> None:
    with running_under_gdb(
        duo, "lwk0", "break irq_dispatch", "continue", "lwk ps", "backtrace", "up 3"
    ) as gdb:
        duo.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "20")
        shown = gdb.communicate(timeout=DEADLINE_S)[0].decode()
    print(shown)
    assert re.search(
        r"#2  <signal handler called>\n#3 .*halt_until_interrupt \(\)(.*\n)+#5 .*\n#6 .*/boot\.S:\d+\n", shown
    )
    assert rows(shown, "CPU DOES WORK")[0][1] == "interrupt"


def test_killed_gdb_leaves_the_partition_running(duo: Enclave) -> None:
    with running_under_gdb(duo, "lwk0", "break irq_dispatch", "hbreak echo", "continue") as gdb:
        gdb.send_signal(signal.SIGKILL)
        wait_for_debugger(duo, "lwk0", None)
    # It would stop here for ever, were the breakpoints still there.
    duo.host.succeed("ikcctl", "ping", "lwk0", "-c", "3", "-W", "30")
    assert duo.partition("lwk0")["state"] == "READY"


def test_qmp_stops_it_under_gdb_and_does_not_let_it_run_on(duo: Enclave) -> None:
    command = CommandLine(duo.run.runtime)
    with running_under_gdb(duo, "lwk0", "continue", "python import signal; signal.pause()"):
        assert command("qmp", "-e", duo.name, "lwk0", "-c", "stop").returncode == 0
        wait_for_debugger(duo, "lwk0", "stopped")
        refused = command("qmp", "-e", duo.name, "lwk0", "-c", "cont")
        assert refused.returncode == 2
        assert b"lwk0 is stopped in gdb (process" in refused.stderr
        assert duo.partition("lwk0")["debugger"] == "stopped"
    wait_for_debugger(duo, "lwk0", None)
    duo.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")


def test_from_before_the_first_instruction(duo: Enclave) -> None:
    duo.client.restart("lwk1", wait_gdb=True)
    assert duo.partition("lwk1")["debugger"] == "waits"
    shown = run_gdb(
        duo,
        "lwk1",
        "info registers rip",
        *("hbreak boot_main", "break cpu_init", "continue", "backtrace", "continue", "lwk cpus", "lwk log"),
    )
    assert "lwk1 has not executed an instruction" in shown
    assert re.search(r"rip +0xfff0 ", shown)
    assert re.search(r"hit Breakpoint 1, boot_main \(start_info=\d+\) at kernel/main.c:\d+", shown)
    assert re.search(r"hit Breakpoint 2, cpu_init \(\) at kernel/cpu.c:\d+", shown)
    assert [row[:4] for row in rows(shown, "CPU THREAD APIC NODE STATE")[:1]] == [["0", "1", "0", "0"]]
    assert "memory: node 1" in shown
    assert "lwk: ready" not in shown
    duo.wait_for_state("lwk1", "READY", DEADLINE_S)


def test_panicked_kernel_is_looked_at_and_stays_panicked(duo: Enclave) -> None:
    duo.client.command("lwk1", "panic")
    duo.wait_for_state("lwk1", "PANICKED")
    shown = run_gdb(duo, "lwk1", "lwk ps", "lwk backtrace all", "lwk log 60")
    assert [row[1] for row in rows(shown, "CPU DOES WORK")[:3]] == ["panic", "parked", "parked"]
    assert re.search(r"#\d+ .* panic \(format=.*panic asked for by the monitor", shown)
    assert "panic asked for by the monitor" in shown
    assert duo.partition("lwk1")["state"] == "PANICKED"


def test_restart_under_gdb_and_attached_again(duo: Enclave) -> None:
    command = CommandLine(duo.run.runtime)
    words = ["gdb", "lwk1", "-e", duo.name, "--", "-nx"]
    gdb = pexpect.spawn(
        str(command.program), words, cwd=ROOT, env=command.environment | {"TERM": "dumb"}, timeout=DEADLINE_S
    )
    gdb.expect(r"\(gdb\) ")
    wait_for_debugger(duo, "lwk1", "stopped")
    second = command("gdb", "lwk1", "-e", duo.name)
    assert second.returncode == 2
    assert f"lwk1 is in another gdb (process {gdb.pid})".encode() in second.stderr
    gdb.sendline("continue")
    wait_for_debugger(duo, "lwk1", "running")
    duo.restart("lwk1")
    gdb.expect("exited normally|Remote connection closed|Target disconnected")
    gdb.expect(r"\(gdb\) ")
    gdb.sendline("enclave attach")
    gdb.expect(r"\(gdb\) ")
    wait_for_debugger(duo, "lwk1", "stopped")
    gdb.sendline("lwk log 1")
    gdb.expect(r"ikc: link to \w+ runs|lwk: ready")
    gdb.sendline("detach")
    gdb.expect("detached")
    wait_for_debugger(duo, "lwk1", None)
    gdb.sendline("quit")
    gdb.expect(pexpect.EOF)


def test_memory_dump_is_read_by_the_same_commands(duo: Enclave, tmp_path: Path) -> None:
    dump = tmp_path / "lwk0.dump"
    with socket.socket(socket.AF_UNIX) as monitor, monitor.makefile("rw") as lines:
        monitor.connect(str(duo.run.qmp_socket("lwk0")))
        lines.readline()
        for request in (
            {"execute": "qmp_capabilities"},
            {"execute": "dump-guest-memory", "arguments": {"paging": True, "protocol": f"file:{dump}"}},
        ):
            lines.write(json.dumps(request) + "\n")
            lines.flush()
            while "event" in (answer := json.loads(lines.readline())):
                pass
            assert "return" in answer, answer
    shown = subprocess.run(
        ["gdb", "-batch", "-nx", "-x", str(START), str(duo.run.lwk("lwk0")), str(dump)]
        + [word for what in ("lwk cpus", "lwk ps", "lwk log", "ikc links") for word in ("-ex", what)],
        capture_output=True,
        text=True,
        timeout=DEADLINE_S,
        check=True,
    ).stdout
    dump.unlink()
    assert [row[4] for row in rows(shown, "CPU THREAD APIC NODE STATE")[:3]] == ["halted"] * 3
    assert [row[1] for row in rows(shown, "CPU DOES WORK")[:3]] == ["idle"] * 3
    assert "lwk: ready\n" in shown
    assert rows(shown, "PEER OURS THEIRS")[0][:3] == ["host", "RUN", "RUN"]


# ---- Linux ----


def test_linux_has_symbols_backtraces_and_its_module(duo: Enclave) -> None:
    commands = (
        "hbreak link_control_one",
        "info line link_data_one",
        "thread apply all backtrace",
        "ikc links",
    )
    shown = run_gdb(duo, "host", *commands)
    assert re.search(
        r"cpu_startup_entry \(\)\n#\d.* rest_init \(\)\n(.* arch_call_rest_init \(\)\n)?.* start_kernel \(\)",
        shown,
    )
    assert re.search(r"cpu_startup_entry \(\)\n#\d+ .* start_secondary \(\)", shown)
    assert re.search(r'Line \d+ of ".*module/link_data.c" starts at address 0xffffffffc0', shown)
    assert [row[0] for row in rows(shown, "PEER OURS THEIRS")[:2]] == ["lwk0", "lwk1"]
    assert duo.host.succeed("uname") == "Linux\n"


def test_break_in_the_linux_module(duo: Enclave) -> None:
    with running_under_gdb(duo, "host", "hbreak fabric_control_interrupt", "continue", "backtrace") as gdb:
        # lwk0 rings the host to say that it begins.
        duo.client.restart("lwk0")
        shown = gdb.communicate(timeout=DEADLINE_S)[0].decode()
    print(shown)
    assert re.search(r"hit Breakpoint 1, fabric_control_interrupt \(.*\) at .*module/fabric.c:\d+", shown)
    assert re.search(r"#1 .* in __handle_irq_event_percpu \(\)", shown)
    assert re.search(r"#\d+ .* in (do_idle|cpu_startup_entry|ret_from_fork) \(\)", shown)
    assert "Backtrace stopped" not in shown
    duo.wait_for_state("lwk0", "READY", DEADLINE_S)


def test_backtrace_through_an_interrupt_of_the_linux_module(duo: Enclave, tmp_path: Path) -> None:
    """What is interrupted is the module's too, on another stack."""
    may_go_on = tmp_path / "may-go-on"
    os.mkfifo(may_go_on)
    commands = (
        "hbreak link_serve_control",
        "continue",
        "stepi 3",
        f"shell cat {may_go_on}",
        "delete",
        "hbreak fabric_control_interrupt",
        "continue",
        "backtrace",
    )
    with running_under_gdb(duo, "host", *commands) as gdb:
        duo.client.restart("lwk0")
        wait_for_debugger(duo, "host", "stopped")
        # It rings while the host is stopped: the interrupt comes as soon as that goes on.
        duo.client.restart("lwk1")
        duo.wait_for_state("lwk1", "READY", DEADLINE_S)
        may_go_on.write_text("")
        shown = gdb.communicate(timeout=DEADLINE_S)[0].decode()
    print(shown)
    assert re.search(r"hit Breakpoint 2, fabric_control_interrupt ", shown)
    frames = re.findall(r"^#\d+ .* in (\w+) \(", shown, re.MULTILINE)
    passed = ["asm_common_interrupt", "link_serve_control", "fabric_serve_links", "ret_from_fork"]
    assert [frame for frame in frames if frame in passed] == passed
    assert "Backtrace stopped" not in shown
    duo.wait_for_state("lwk0", "READY", DEADLINE_S)


# ---- the command line ----


def test_up_that_waits_for_gdb(command: CommandLine) -> None:
    up = command("up", "specs/solo.yaml", "--wait-gdb", "lwk0")
    assert up.returncode == 0, up.stderr
    assert b"BOOTING (waits for gdb)" in up.stdout
    assert b"enclave gdb lwk0" in up.stdout
    again = command("up", "specs/solo.yaml", "--wait-gdb", "lwk0")
    assert again.returncode == 2
    assert b"the boot of enclave solo is over" in again.stderr
    shown = command("gdb", "lwk0", "--", "-batch", "-nx", "-ex", "hbreak boot_main", "-ex", "continue")
    assert b"Breakpoint 1, boot_main" in shown.stdout
    assert command("down").returncode == 0


def test_partition_to_wait_for_that_is_not_there(command: CommandLine) -> None:
    up = command("up", "specs/solo.yaml", "--wait-gdb", "lwk7")
    assert up.returncode == 2
    assert b"enclave solo has no partition 'lwk7'" in up.stderr
    assert b"it has: host, lwk0" in up.stderr
    assert not command.runtime.exists() or not os.listdir(command.runtime)


@pytest.mark.parametrize("what", ["lwk cpus", "ikc links"])
def test_commands_tell_what_they_miss(what: str) -> None:
    done = subprocess.run(
        ["gdb", "-batch", "-nx", "-x", START, "-ex", what], capture_output=True, text=True, check=False
    )
    assert re.search(
        r"are these the symbols of the LWK|symbols neither of the LWK nor of ikc.ko", done.stderr
    )
    assert "Traceback" not in done.stderr
