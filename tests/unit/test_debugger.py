# SPDX-License-Identifier: Apache-2.0
"""A debugger at a partition: what the supervisor makes of it, with a fake QEMU's stub at the other end."""

import json
import os
import signal
import socket

import pytest

from orchestrator import enclave
from orchestrator.client import Client
from orchestrator.errors import UsageError
from tests.unit.enclaves import SHORT, Computer, eventually, fails_with, partition, state, type_in

CONTINUE = b"$c#63"
DETACH = b"$D;1#b0"


def attach(client: Client, name: str) -> socket.socket:
    gdb = socket.socket(socket.AF_UNIX)
    gdb.settimeout(30)
    gdb.connect(partition(client, name)["gdb_socket"])
    return gdb


def is_in_gdb(client: Client, name: str, how: str | None) -> None:
    eventually(lambda: bool(partition(client, name)["debugger"] == how))


def let_run(client: Client, name: str, gdb: socket.socket) -> None:
    gdb.sendall(CONTINUE)
    is_in_gdb(client, name, "running")


def test_stopped_by_a_debugger_is_not_hung(computer: Computer, impatient: None) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        assert partition(client, "lwk0")["debugger_pid"] == os.getpid()
        # lwk1 takes as long to be found silent as lwk0 would.
        type_in(client, "lwk1", "hang")
        eventually(lambda: state(client, "lwk1")[0] == "HUNG")
        assert state(client, "lwk0") == ("READY", "")
        let_run(client, "lwk0", gdb)
        assert client.command("lwk0", "panic") == {"answer": "DONE"}
        eventually(lambda: state(client, "lwk0")[0] == "PANICKED")


def test_detached_runs_on(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        refused = fails_with(UsageError, client.command, "lwk0", "hang")
        assert refused == "lwk0 cannot be asked: it is stopped by the debugger"
        gdb.sendall(DETACH)
        assert gdb.recv(100).endswith(b"$OK#9a")
    is_in_gdb(client, "lwk0", None)
    assert client.command("lwk0", "panic") == {"answer": "DONE"}
    told = [json.loads(line) for line in client.run.events.read_text().splitlines()]
    assert [event["event"] for event in told if "gdb" in event["event"]] == ["gdb attached", "gdb gone"]


@pytest.mark.parametrize("last", [b"", CONTINUE, b"$m0,"], ids=["stopped", "running", "in a request"])
def test_a_debugger_that_is_killed_leaves_its_guest_running(computer: Computer, last: bytes) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        gdb.sendall(last)
    is_in_gdb(client, "lwk0", None)
    assert client.command("lwk0", "panic") == {"answer": "DONE"}


def test_a_debugger_that_is_found_gone_by_an_answer_leaves_its_guest_running(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        gdb.shutdown(socket.SHUT_RD)
        gdb.sendall(b"$?#3f")
        is_in_gdb(client, "lwk0", None)
    assert client.command("lwk0", "panic") == {"answer": "DONE"}


def test_one_debugger_at_a_time(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0") as first:
        is_in_gdb(client, "lwk0", "stopped")
        with attach(client, "lwk0") as second:
            assert second.recv(1) == b""
        let_run(client, "lwk0", first)
    is_in_gdb(client, "lwk0", None)
    with attach(client, "lwk0"):
        is_in_gdb(client, "lwk0", "stopped")


def test_what_a_debugger_does_is_not_done_past_it(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0"):
        is_in_gdb(client, "lwk0", "stopped")
        for verb in (client.pause, client.resume):
            assert fails_with(UsageError, verb, "lwk0") == f"lwk0 is in gdb (process {os.getpid()})"


def test_paused_stays_paused_after_a_debugger(computer: Computer, impatient: None) -> None:
    client = computer.up()
    client.pause("lwk0")
    with attach(client, "lwk0"):
        is_in_gdb(client, "lwk0", "stopped")
    is_in_gdb(client, "lwk0", None)
    found = partition(client, "lwk0")
    assert (found["state"], found["paused"]) == ("READY", True)
    # For the pause, and after the debugger; what that did itself is not written down.
    eventually(lambda: client.run.events.read_text().count('"event": "STOP"') == 2)
    assert fails_with(UsageError, client.command, "lwk0", "hang") == "lwk0 cannot be asked: it is paused"


def test_qemu_that_dies_under_a_debugger(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        os.kill(partition(client, "lwk0")["pid"], signal.SIGKILL)
        while gdb.recv(4096):
            pass
    eventually(lambda: state(client, "lwk0") == ("EXITED", "QEMU was killed by signal 9 (SIGKILL)"))
    is_in_gdb(client, "lwk0", None)
    with attach(client, "lwk0") as late:
        assert late.recv(1) == b""


def test_restart_under_a_debugger(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        client.restart("lwk0")
        while gdb.recv(4096):
            pass
        found = partition(client, "lwk0")
        assert (found["state"], found["incarnation"], found["debugger"]) == ("READY", 2, None)
    with attach(client, "lwk0") as gdb:
        is_in_gdb(client, "lwk0", "stopped")
        client.restart("lwk0", wait_gdb=True)
        while gdb.recv(4096):
            pass
    eventually(lambda: client.run.events.read_text().count("gdb gone") == 2)
    assert partition(client, "lwk0")["debugger"] == "waits"


def test_down_sends_the_debugger_away_and_powers_off(computer: Computer) -> None:
    client = computer.up()
    with attach(client, "lwk0"):
        is_in_gdb(client, "lwk0", "stopped")
        assert client.down()["partitions"]["lwk0"] == "powered off"
    assert not list(client.run.path.glob("*.sock"))


# ---- before the first instruction ----


def test_who_waits_for_gdb_is_never_late(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = SHORT._replace(ready_s=2)
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: hasty)
    client = computer.start(lwk0="late", wait_gdb=("lwk1",))
    eventually(lambda: state(client, "lwk0")[0] == "HUNG")
    found = partition(client, "lwk1")
    assert (found["state"], found["debugger"], found["ready_s"]) == ("BOOTING", "waits", None)
    with attach(client, "lwk1") as gdb:
        is_in_gdb(client, "lwk1", "stopped")
        gdb.sendall(DETACH)
        assert gdb.recv(100).endswith(b"$OK#9a")
    eventually(lambda: state(client, "lwk1") == ("READY", ""))


def test_late_is_told_after_a_debugger_too(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    hasty = SHORT._replace(ready_s=2)
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: hasty)
    client = computer.start(lwk0="late", wait_gdb=("lwk0",))
    client.wait()
    with attach(client, "lwk0"):
        is_in_gdb(client, "lwk0", "stopped")
    eventually(lambda: state(client, "lwk0")[0] == "HUNG")


def test_the_others_are_ready_without_who_waits(computer: Computer) -> None:
    client = computer.start(wait_gdb=("host", "lwk0"))
    client.wait()
    assert [partition(client, name)["state"] for name in ("host", "lwk0", "lwk1")] == [
        "BOOTING",
        "BOOTING",
        "READY",
    ]
    client.resume("lwk0")
    eventually(lambda: state(client, "lwk0") == ("READY", ""))
    assert partition(client, "lwk0")["debugger"] is None
    assert partition(client, "host")["debugger"] == "waits"


def test_restart_waits_when_asked_to_and_only_then(computer: Computer) -> None:
    client = computer.up()
    client.restart("lwk0", wait_gdb=True)
    assert partition(client, "lwk0")["debugger"] == "waits"
    client.restart("lwk0")
    found = partition(client, "lwk0")
    assert (found["state"], found["debugger"], found["incarnation"]) == ("READY", None, 3)
