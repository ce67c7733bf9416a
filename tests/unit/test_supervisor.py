# SPDX-License-Identifier: Apache-2.0
"""The life of a run, with real processes, sockets and signals, and fake QEMUs."""

import json
import os
import signal
import socket
import time
from collections.abc import Generator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest

from orchestrator import enclave, room
from orchestrator.client import Client
from orchestrator.errors import DeadlineError, EnvironmentFault, GuestError, HangError, UsageError
from orchestrator.run import AlreadyRunning, NotRunning, RunFolder
from tests.unit.enclaves import SHORT, Computer, eventually, fails_with, partition, runs, state, type_in
from tests.unit.fake_qemu import FLOOD


def processes(client: Client) -> list[int]:
    status = client.status()
    return [status["supervisor_pid"], *(each["pid"] for each in status["partitions"])]


def guardian_of(client: Client) -> int:
    stat = Path(f"/proc/{client.status()['supervisor_pid']}/stat").read_text()
    return int(stat.rpartition(")")[2].split()[1])


def final(run: RunFolder) -> str:
    return str(json.loads(run.status_final.read_text())["reason"])


def nothing_is_left(run: RunFolder, pids: list[int]) -> bool:
    return not run.is_running() and not any(map(runs, pids)) and not list(run.path.glob("*.sock"))


# ---- up and down ----


def test_up_status_and_down(computer: Computer) -> None:
    events: list[dict[str, object]] = []
    client = computer.start()
    status = client.wait(events.append)

    assert [each["state"] for each in status["partitions"]] == ["READY"] * 3
    assert 0 < status["ready_s"] < 60
    # Not that of QEMU, but of the guardian, who finds nobody at this QEMU's.
    assert status["ssh"]["port"] != 40713
    with socket.create_connection((status["ssh"]["host"], status["ssh"]["port"])) as connection:
        assert connection.recv(1) == b""
    assert Path(status["ssh"]["key"]).stat().st_mode & 0o777 == 0o600
    states = [(event["partition"], event["state"]) for event in events if event["event"] == "state"]
    assert sorted(states) == sorted((p, s) for p in ("host", "lwk0", "lwk1") for s in ("BOOTING", "READY"))
    # A second one who waits is told the same.
    again: list[dict[str, object]] = []
    client.wait(again.append)
    assert again[: len(events)] == events

    pids = [*processes(client), guardian_of(client)]
    assert client.down()["partitions"] == dict.fromkeys(["host", "lwk0", "lwk1"], "powered off")
    run = client.run
    assert nothing_is_left(run, pids)
    assert final(run) == "`enclave down`"
    assert run.kernel_log("lwk0").read_text() == "ready\n"
    assert fails_with(NotRunning, client.status) == "enclave fake is not running"
    assert fails_with(NotRunning, Client.connect, run) == "enclave fake is not running"


def test_lwks_start_one_after_the_other_on_two_processors(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1})
    events: list[dict[str, object]] = []
    computer.start().wait(events.append)
    order = [(event["partition"], event.get("state", event["event"])) for event in events]
    host, lwk0 = order.index(("host", "answered")), order.index(("lwk0", "answered"))
    assert host < order.index(("lwk0", "BOOTING")) < lwk0 < order.index(("lwk1", "BOOTING"))


def test_a_name_runs_once_and_again_when_it_is_down(computer: Computer) -> None:
    client = computer.up()
    before = client.status()
    assert "is running already" in fails_with(AlreadyRunning, computer.start)
    assert client.status()["run_id"] == before["run_id"]
    client.down()
    assert computer.up().status()["run_id"] != before["run_id"]


def test_enclaves_side_by_side_collide_in_nothing(computer: Computer) -> None:
    one, other = computer.up("one"), computer.up("other")
    one.down()
    assert [each["state"] for each in other.status()["partitions"]] == ["READY"] * 3
    other.kill("lwk0")
    other.restart("lwk0")


def test_the_callers_files_are_not_kept_open(computer: Computer) -> None:
    read, write = os.pipe()
    os.set_inheritable(write, True)
    computer.up()
    os.close(write)
    assert os.read(read, 1) == b""
    os.close(read)


def test_qemu_that_is_not_installed(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.qemu_command.QEMU", "qemu-that-is-not-here")
    assert fails_with(EnvironmentFault, computer.start) == "qemu-that-is-not-here is not installed"
    assert nothing_is_left(RunFolder("fake"), [])
    assert final(RunFolder("fake")) == "qemu-that-is-not-here is not installed"


def test_no_room_for_the_enclave(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 50 * room.MIB)
    message = fails_with(EnvironmentFault, computer.start)
    assert message.endswith("50 MiB are available")
    assert nothing_is_left(RunFolder("fake"), [])


def test_kernel_that_never_gets_ready(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: SHORT._replace(ready_s=2))
    client = computer.start(lwk0="late")
    reason = "did not become READY within 2 s; last console line: boots"
    eventually(lambda: state(client, "lwk0") == ("HUNG", reason))
    # On a busy computer the others may be late as well, but they do get ready.
    eventually(lambda: state(client, "lwk1")[0] == state(client, "host")[0] == "READY")
    assert fails_with(DeadlineError, client.wait) == f"lwk0: {reason}"


def test_qemu_that_ends_at_once(computer: Computer) -> None:
    client = computer.start(lwk0="exit")
    message = fails_with(GuestError, client.wait)
    assert message == "lwk0: QEMU exited with status 1: fake_qemu: told to exit"
    client.down()


def test_qemu_whose_monitor_is_silent(computer: Computer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: SHORT._replace(launch_s=5))
    client = computer.start(lwk0="mute")
    message = fails_with(GuestError, client.wait)
    assert message == "lwk0: QEMU did not answer its monitor within 5 s"


# ---- what befalls one partition ----


def test_killed_qemu_is_told_at_once_and_restarts(computer: Computer) -> None:
    client = computer.up()
    os.kill(partition(client, "lwk0")["pid"], signal.SIGKILL)
    killed = ("EXITED", "QEMU was killed by signal 9 (SIGKILL)")
    eventually(lambda: state(client, "lwk0") == killed)
    assert partition(client, "lwk0")["pid"] is None
    assert partition(client, "lwk0")["links"] == {"host": "DOWN", "lwk1": "DOWN"}
    assert partition(client, "lwk1")["links"] == {"host": "RUN", "lwk0": "RUN"}
    assert state(client, "lwk1") == state(client, "host") == ("READY", "")
    assert fails_with(UsageError, client.command, "lwk0", "panic") == "lwk0 cannot be asked: it is EXITED"
    events: list[dict[str, object]] = []
    client.restart("lwk0", events.append)
    assert [event["state"] for event in events if event["event"] == "state"] == ["BOOTING", "READY"]
    assert partition(client, "lwk0")["incarnation"] == 2
    assert partition(client, "lwk1")["incarnation"] == 1


def test_restart_of_one_that_runs(computer: Computer) -> None:
    client = computer.up()
    events: list[dict[str, object]] = []
    client.restart("lwk0", events.append)
    told = [(event["state"], event["reason"]) for event in events if event["event"] == "state"]
    assert told == [("EXITED", "ended for a restart"), ("BOOTING", ""), ("READY", "")]
    assert b"".join(client.log("lwk0")) == b"ready\nready\n", "its memory is that of a machine switched on"


def test_kill_verb(computer: Computer) -> None:
    client = computer.up()
    assert client.kill("lwk1")["reason"] == "QEMU was killed by signal 9 (SIGKILL)"
    assert fails_with(UsageError, client.kill, "lwk1") == "no QEMU runs lwk1"


def test_panic_has_its_reason_and_leaves_the_log(computer: Computer) -> None:
    client = computer.up()
    client.command("lwk0", "panic")
    panicked = ("PANICKED", "guest panicked: panic asked for by the monitor")
    eventually(lambda: state(client, "lwk0") == panicked)
    assert b"".join(client.log("lwk0")) == b"ready\n"
    assert state(client, "lwk1")[0] == "READY"
    assert fails_with(GuestError, client.wait) == "lwk0: guest panicked: panic asked for by the monitor"
    client.restart("lwk0")
    assert client.down()["partitions"]["lwk0"] == "powered off"


def test_guest_restarts_itself_in_place(computer: Computer) -> None:
    client = computer.up()
    before = partition(client, "lwk0")
    client.command("lwk0", "restart")
    eventually(lambda: partition(client, "lwk0")["incarnation"] == 2 and state(client, "lwk0")[0] == "READY")
    assert partition(client, "lwk0")["pid"] == before["pid"]


def test_reset_that_nobody_asked_for(computer: Computer) -> None:
    client = computer.up()
    type_in(client, "lwk0", "reset")
    eventually(lambda: state(client, "lwk0")[0] == "EXITED")
    assert state(client, "lwk0")[1].startswith("triple fault or reset nobody asked for")


def test_powered_off_by_command(computer: Computer) -> None:
    client = computer.up()
    client.command("lwk0", "shutdown")
    eventually(lambda: state(client, "lwk0") == ("EXITED", "powered off"))
    assert client.down()["partitions"]["lwk0"] == "powered off"


def test_kernel_that_hangs_and_comes_back(computer: Computer, impatient: None) -> None:
    client = computer.up()
    type_in(client, "lwk0", "hang")
    eventually(lambda: state(client, "lwk0") == ("HUNG", "did not answer a probe within 1 s"))
    assert fails_with(HangError, client.wait) == "lwk0: did not answer a probe within 1 s"
    assert "did not answer `panic` within" in fails_with(HangError, client.command, "lwk0", "panic")
    type_in(client, "lwk0", "wake")
    eventually(lambda: state(client, "lwk0") == ("READY", ""))
    type_in(client, "lwk0", "hang")
    eventually(lambda: state(client, "lwk0")[0] == "HUNG")
    client.restart("lwk0")
    assert state(client, "lwk0") == ("READY", "")
    type_in(client, "lwk0", "hang")
    eventually(lambda: state(client, "lwk0")[0] == "HUNG")
    assert client.down()["partitions"]["lwk0"] == "power cut"


def test_unknown_names_are_told_with_the_known_ones(computer: Computer) -> None:
    client = computer.up()
    assert fails_with(UsageError, client.kill, "lwk7") == "enclave fake has no partition 'lwk7'"
    assert "unknown command 'dance'" in fails_with(UsageError, client.command, "lwk0", "dance")
    message = fails_with(UsageError, client.command, "lwk0", "triple-fault")
    assert message == "the kernel of lwk0 does not know the command `triple_fault`"


# ---- the end of the supervisor ----


def test_killed_supervisor_leaves_nothing(computer: Computer) -> None:
    client = computer.up()
    pids = [*processes(client), guardian_of(client)]
    os.kill(pids[0], signal.SIGKILL)
    eventually(lambda: nothing_is_left(client.run, pids))
    assert final(client.run) == "the supervisor was killed by signal 9 (SIGKILL)"
    assert fails_with(NotRunning, client.status)
    computer.up()


def test_killed_guardian_ends_the_run_in_good_order(computer: Computer) -> None:
    client = computer.up()
    pids = [*processes(client), guardian_of(client)]
    os.kill(pids[-1], signal.SIGKILL)
    eventually(lambda: nothing_is_left(client.run, pids))
    assert final(client.run) == "signal SIGTERM"


def test_terminated_supervisor_ends_the_run_in_good_order(computer: Computer) -> None:
    client = computer.up()
    pids = processes(client)
    os.kill(pids[0], signal.SIGTERM)
    eventually(lambda: nothing_is_left(client.run, pids))
    assert final(client.run) == "signal SIGTERM"


def test_stopped_supervisor_stops_no_kernel(computer: Computer, impatient: None) -> None:
    client = computer.up()
    supervisor, *qemus = processes(client)
    events = client.run.events
    os.kill(supervisor, signal.SIGSTOP)
    try:
        eventually(lambda: Path(f"/proc/{supervisor}/stat").read_text().rpartition(")")[2].split()[0] == "T")
        # Longer than a probe may take; the kernels have answered the one that was on its way.
        time.sleep(1.5 * SHORT.answer_s)
        assert all(map(runs, qemus))
    finally:
        os.kill(supervisor, signal.SIGCONT)
    assert client.status()["partitions"][0]["state"] == "READY"
    assert "HUNG" not in events.read_text()


# ---- clients ----


def send(client: Client, data: bytes) -> dict[str, dict[str, object]]:
    with socket.socket(socket.AF_UNIX) as connection:
        connection.connect(str(client.run.control_socket))
        connection.sendall(data)
        connection.shutdown(socket.SHUT_WR)
        answer: dict[str, dict[str, object]] = json.loads(connection.makefile().readline())
        return answer


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\n",
        b"\xff\xfe\n",
        b"[1, 2]\n",
        b"{}\n",
        b'{"verb": "dance"}\n',
        b'{"verb": ["status"]}\n',
        b'{"verb": "kill"}\n',
        b'{"verb": "kill", "partition": 3}\n',
        b"x" * 100_000,
    ],
    ids=lambda data: data[:12].decode(errors="replace").strip() + f"({len(data)})",
)
def test_nonsense_is_refused_and_harms_nobody(running: Client, data: bytes) -> None:
    answer = send(running, data)
    assert answer["error"]["exit_status"] == 2
    assert answer["error"]["message"]
    assert running.status()["enclave"] == "shared"


def test_clients_that_go_away_harm_nobody(running: Client) -> None:
    for verb in ("status", "wait", "log", "console", "restart"):
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(running.run.control_socket))
            connection.sendall(
                json.dumps({"verb": verb, "partition": "lwk1", "follow": True}).encode() + b"\n"
            )
    eventually(lambda: partition(running, "lwk1")["incarnation"] == 2)
    eventually(lambda: state(running, "lwk1")[0] == "READY")


def test_log_is_followed_until_the_end(running: Client) -> None:
    pieces = running.log("host", follow=True)
    assert next(pieces) == b"ready\n"
    type_in(running, "host", "log one more line")
    assert next(pieces) == b"one more line\n"
    pieces.close()  # type: ignore[attr-defined]


def test_every_viewer_sees_the_console(running: Client) -> None:
    with running.console("lwk0") as one, running.console("lwk0") as other:
        one.sendall(b"hello\n")
        for viewer in (one, other):
            viewer.settimeout(60)
            seen = b""
            while b"hello\n" not in seen:
                seen += viewer.recv(4096)
    assert "hello" in running.run.console_log("lwk0").read_text()


def test_a_viewer_that_does_not_read_is_dropped_and_delays_nobody(running: Client) -> None:
    rounds = 16
    with running.console("lwk0") as lazy, running.console("lwk0") as eager:
        eager.settimeout(60)
        for _ in range(rounds):
            eager.sendall(b"flood\n")
            seen = 0
            while seen < FLOOD:
                piece = eager.recv(FLOOD)
                assert piece
                seen += piece.count(b"x")
        assert read_to_the_end(lazy) < rounds * FLOOD


def read_to_the_end(connection: socket.socket) -> int:
    """How many bytes there are before the other side's end, whichever way it ended."""
    connection.settimeout(60)
    taken = 0
    with suppress(ConnectionResetError):
        while piece := connection.recv(1 << 16):
            taken += len(piece)
    return taken


# ---- traces ----


def wanted(client: Client, name: str) -> bool:
    """Whether a partition writes records of its messages: whether one that it sends now is there."""
    before = len(list(client.trace(name)))
    type_in(client, name, "send")
    return len(list(client.trace(name))) > before


def test_trace_is_on_as_long_as_anybody_follows_it(computer: Computer) -> None:
    client = computer.up()
    assert not wanted(client, "lwk0")
    one, other = client.trace("lwk0", follow=True), client.trace("lwk0", follow=True)
    with closing(one), closing(other):
        type_when_followed(client, one)
        type_when_followed(client, other)
        assert not wanted(client, "lwk1")
    eventually(lambda: not wanted(client, "lwk0"))


def type_when_followed(client: Client, trace: Generator[dict[str, Any]]) -> None:
    """Sends a message until the follower, which asks when it first reads, has got one."""
    with ThreadPoolExecutor() as threads:
        first = threads.submit(next, trace)
        while not first.done():
            type_in(client, "lwk0", "send")
        assert "number" in first.result()


def test_trace_ends_with_the_enclave(computer: Computer) -> None:
    client = computer.up()
    trace = client.trace("lwk0", follow=True)
    type_when_followed(client, trace)
    with ThreadPoolExecutor() as threads:
        following = threads.submit(list, trace)
        client.down()
        assert all("number" in record for record in following.result(timeout=60))


def test_look_counts_and_does_not_wait_for_a_qemu_that_is_stopped(computer: Computer) -> None:
    client = computer.up()
    stopped = partition(client, "lwk1")["pid"]
    os.kill(stopped, signal.SIGSTOP)
    try:
        found = client.look()
    finally:
        os.kill(stopped, signal.SIGCONT)
    host, lwk0, lwk1 = found["partitions"]
    assert (host["is_host"], lwk0["is_host"]) == (True, False)
    assert [each["state"] for each in found["partitions"]] == ["READY"] * 3
    assert lwk1["pid"] == stopped
    assert lwk0["cpus"] == [{"cpu": 1, "local_cpu": 0, "thread_id": lwk0["pid"]}]
    assert lwk0["ram_bytes"] == 32 << 20
    assert set(lwk0["links"]) == {"host", "lwk1"}
    assert lwk0["links"]["host"]["sent"] == 0
    assert host["use"] is None
    told = ("memory_bytes", "free_bytes", "processes", "threads")
    assert [lwk0["use"][each] for each in told] == [16 << 20, 8 << 20, 1, 2]
    assert lwk0["use"]["offload_ns"] == 1000 * lwk0["use"]["offloads"]
    assert partition(client, "lwk0")["use"]["processes"] == 1
    later = client.look()
    assert later["time_s"] > found["time_s"]
    client.kill("lwk0")
    dead = client.look()["partitions"][1]
    assert (dead["state"], dead["pid"], dead["answer_s"], dead["use"]) == ("EXITED", None, None, None)
    assert partition(client, "lwk0")["use"] is None
