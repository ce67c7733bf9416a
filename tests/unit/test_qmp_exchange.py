# SPDX-License-Identifier: Apache-2.0
"""One command over the socket for people, against a server that behaves like QEMU, or does not."""

import json
import signal
import socket
import threading
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest

from orchestrator import qmp_exchange
from orchestrator.client import Client
from orchestrator.errors import DeadlineError, EnclaveError
from orchestrator.handles import Enclave, Partition
from orchestrator.qmp_exchange import Exchange, NoMonitor, Refused
from orchestrator.qmp_session import Command, Session
from orchestrator.run import RunFolder

EVENT = {"event": "STOP", "timestamp": {"seconds": 0, "microseconds": 0}}


class Monitor:
    """Serves one client after the other, as QEMU does; what it says to a command is in `answers`."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.answers: dict[str, list[object]] = {"query-status": [EVENT, {"return": {"status": "running"}}]}
        self.commands: list[object] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen(1)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                connection, _ = self._listener.accept()
                with connection, suppress(ConnectionError):
                    self._converse(connection)

    def _converse(self, connection: socket.socket) -> None:
        def say(message: object) -> None:
            connection.sendall(json.dumps(message).encode() + b"\r\n")

        say({"QMP": {}})
        for line in connection.makefile("rb"):
            request = json.loads(line)
            self.commands.append(request)
            for answer in self.answers.get(request["execute"], [{"return": {}}]):
                if answer is None:
                    return
                say(answer)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()


@pytest.fixture
def monitor(tmp_path: Path) -> Iterator[Monitor]:
    made = Monitor(tmp_path / "m")
    yield made
    made.close()


def test_the_answer_comes_without_the_events_before_it(monitor: Monitor) -> None:
    assert Exchange(monitor.path).run("query-status", {}) == {"status": "running"}
    assert Exchange(monitor.path).run("memsave", {"val": 1}) == {}
    assert monitor.commands[-1] == {"execute": "memsave", "arguments": {"val": 1}}


def test_what_qemu_refuses_is_told_in_its_words(monitor: Monitor) -> None:
    monitor.answers["x"] = [{"error": {"class": "GenericError", "desc": "no such thing"}}]
    with pytest.raises(Refused) as raised:
        Exchange(monitor.path).run("x", {})
    assert (raised.value.message, raised.value.error["class"]) == ("no such thing", "GenericError")


def test_many_at_once_are_served_one_by_one(monitor: Monitor) -> None:
    answers: list[object] = []

    def ask() -> None:
        answers.append(Exchange(monitor.path).run("query-status", {}))

    askers = [threading.Thread(target=ask) for _ in range(16)]
    for asker in askers:
        asker.start()
    for asker in askers:
        asker.join(30)
    assert answers == [{"status": "running"}] * 16


def test_a_socket_that_another_program_holds(monitor: Monitor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp_exchange, "GREETING_DEADLINE_S", 1)
    with socket.socket(socket.AF_UNIX) as holder:
        holder.connect(str(monitor.path))
        with pytest.raises(DeadlineError, match="QEMU did not greet within 1 s") as raised:
            Exchange(monitor.path).run("query-status", {})
    assert "one client at a time" in raised.value.hint
    assert Exchange(monitor.path).run("query-status", {}) == {"status": "running"}


def test_a_queue_that_is_full(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp_exchange, "GREETING_DEADLINE_S", 1)
    with socket.socket(socket.AF_UNIX) as listener, socket.socket(socket.AF_UNIX) as waiting:
        listener.bind(str(tmp_path / "full"))
        listener.listen(0)
        waiting.connect(str(tmp_path / "full"))
        with pytest.raises(DeadlineError, match="did not greet"):
            Exchange(tmp_path / "full").run("query-status", {})


@pytest.mark.parametrize("left", [False, True], ids=["never there", "left behind"])
def test_no_qemu(tmp_path: Path, left: bool) -> None:
    path = tmp_path / "m"
    if left:
        with socket.socket(socket.AF_UNIX) as dead:
            dead.bind(str(path))
    with pytest.raises(NoMonitor, match="no QEMU listens"):
        Exchange(path).run("query-status", {})


def test_qemu_that_ends_meanwhile(monitor: Monitor) -> None:
    monitor.answers["inject-nmi"] = [None]
    with pytest.raises(EnclaveError, match="QEMU ended before it answered `inject-nmi`"):
        Exchange(monitor.path).run("inject-nmi", {})


def test_an_answer_that_does_not_come(monitor: Monitor) -> None:
    monitor.answers["slow"] = [EVENT]
    with pytest.raises(DeadlineError, match=r"QEMU did not answer `slow` within 0\.3 s"):
        Exchange(monitor.path).run("slow", {}, answer_s=0.3)


def test_abandoned_by_another_thread(monitor: Monitor) -> None:
    monitor.answers["slow"] = [EVENT]
    exchange = Exchange(monitor.path)
    ended = threading.Event()

    def ask() -> None:
        with suppress(EnclaveError):
            exchange.run("slow", {})
        ended.set()

    threading.Thread(target=ask, daemon=True).start()
    while {"execute": "slow"} not in monitor.commands:
        assert not ended.wait(0.001)
    exchange.abandon()
    assert ended.wait(30)


def test_a_handle_tells_whose_qemu_it_was(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(qmp_exchange, "GREETING_DEADLINE_S", 1)
    run = RunFolder("duo", tmp_path)
    run.path.mkdir()
    lwk0, lwk1 = (Partition(Enclave(run), name) for name in ("lwk0", "lwk1"))
    with closing(Monitor(run.qmp_socket("lwk0"))) as monitor:
        monitor.answers["x"] = [{"error": {"class": "GenericError", "desc": "no such thing"}}]
        assert lwk0.qmp("query-status") == {"status": "running"}
        lwk0.qmp("set_link", name="net0", up=False)
        assert monitor.commands[-1] == {"execute": "set_link", "arguments": {"name": "net0", "up": False}}
        with pytest.raises(EnclaveError, match="lwk0: QMP `x` failed: no such thing"):
            lwk0.qmp("x")
        with socket.socket(socket.AF_UNIX) as holder:
            holder.connect(str(monitor.path))
            with pytest.raises(DeadlineError, match="lwk0: QEMU did not greet"):
                lwk0.qmp("query-status")
    with pytest.raises(EnclaveError, match="lwk1: QMP `query-status` failed: no QEMU listens"):
        lwk1.qmp("query-status")


@pytest.mark.timeout(60)
def test_ctrl_c_ends_the_wait_of_a_session(tmp_path: Path) -> None:
    run = RunFolder("duo", tmp_path)
    run.path.mkdir()
    monitor = Monitor(run.qmp_socket("lwk0"))
    monitor.answers["slow"] = [EVENT]

    def interrupt() -> None:
        while {"execute": "slow"} not in monitor.commands:
            threading.Event().wait(0.001)
        signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)

    threading.Thread(target=interrupt, daemon=True).start()
    with closing(monitor), pytest.raises(KeyboardInterrupt):
        Session(Client(run), ["lwk0"]).run(Command(("lwk0",), "slow", {}))


def test_a_command_waits_for_a_qemu_that_is_being_started(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run = RunFolder("duo", tmp_path)
    run.path.mkdir()
    path = run.qmp_socket("lwk0")
    with socket.socket(socket.AF_UNIX) as dead:
        dead.bind(str(path))
    started: list[Monitor] = []

    def status(client: Client) -> dict[str, object]:
        if not started:
            path.unlink()
            started.append(Monitor(path))
        return {"partitions": [{"name": "lwk0", "pid": 1, "state": "BOOTING", "reason": ""}]}

    monkeypatch.setattr(Client, "status", status)
    answers = Session(Client(run), ["lwk0"]).run(Command(("lwk0",), "query-status", {}))
    assert answers == {"lwk0": {"status": "running"}}
    started[0].close()
