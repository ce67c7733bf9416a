# SPDX-License-Identifier: Apache-2.0
import io
import os
import signal
import socket
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import ssh, ssh_keys
from orchestrator.errors import DeadlineError, UsageError
from tests.unit.ssh_server import SshServer

ENDS_WITHIN_S = 10.0
EVERY_BYTE = bytes(range(256)) * 1000


@pytest.fixture
def server(tmp_path: Path) -> Iterator[SshServer]:
    server = SshServer(tmp_path)
    yield server
    server.close()


def test_run_keeps_output_errors_and_status_apart(server: SshServer) -> None:
    with ssh.connect(server.endpoint) as session:
        done = session.run("sh", "-c", "echo out; echo err >&2; exit 7")
    assert (done.status, done.stdout, done.stderr) == (7, b"out\n", b"err\n")


def test_run_passes_arguments_as_they_are(server: SshServer) -> None:
    arguments = ["two words", "$HOME", "it's", "*", "", "a\nb"]
    with ssh.connect(server.endpoint) as session:
        assert session.run("printf", "%s|", *arguments).text == "|".join([*arguments, ""])


def test_death_by_signal_is_128_and_its_number(server: SshServer) -> None:
    with ssh.connect(server.endpoint) as session:
        assert session.run("sh", "-c", "kill -9 $$").status == 137


def test_bytes_survive_both_ways(server: SshServer) -> None:
    with ssh.connect(server.endpoint) as session:
        assert session.run("cat", input=EVERY_BYTE).stdout == EVERY_BYTE


def test_attach_joins_the_given_streams(server: SshServer) -> None:
    out, err = io.BytesIO(), io.BytesIO()
    read, write = os.pipe()
    os.write(write, b"from stdin")
    os.close(write)
    with ssh.connect(server.endpoint) as session:
        status = session.attach("cat\necho oops >&2; exit 3", read, out, err)
    os.close(read)
    assert (status, out.getvalue(), err.getvalue()) == (3, b"from stdin", b"oops\n")


def test_files_are_copied_both_ways(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "here").write_bytes(EVERY_BYTE)
    with ssh.connect(server.endpoint) as session:
        session.put(tmp_path / "here", str(tmp_path / "there it is"))
        session.get(str(tmp_path / "there it is"), tmp_path / "back")
        assert (tmp_path / "back").read_bytes() == EVERY_BYTE
        with pytest.raises(ssh.SshError, match="No such file"):
            session.get("/nowhere", tmp_path / "back")


def test_command_that_does_not_end_is_cut_off(server: SshServer) -> None:
    with ssh.connect(server.endpoint) as session, pytest.raises(DeadlineError, match=r"sleep 60.*0.1 s"):
        session.run("sleep", "60", deadline_s=0.1)


def test_command_that_is_cut_off_ends_with_all_that_it_started(server: SshServer, tmp_path: Path) -> None:
    pids = tmp_path / "pids"
    line = f"sleep 60 & echo $! >{pids}; (sleep 61 & echo $! >>{pids}; wait)"
    with ssh.connect(server.endpoint) as session:
        other = session.run("sh", "-c", "sleep 62 >/dev/null 2>&1 & echo $!")
        with pytest.raises(DeadlineError):
            session.run("sh", "-c", line, deadline_s=0.5)
    for pid in pids.read_text().split():
        wait_for_end(int(pid))
    assert not is_gone(int(other.text)), "it belongs to a command that was not cut off"
    os.kill(int(other.text), signal.SIGKILL)


def test_interrupted_attach_ends_the_command(server: SshServer, tmp_path: Path) -> None:
    class Interrupts(io.BytesIO):
        def write(self, data: object) -> int:
            raise KeyboardInterrupt

    line = f"sleep 60 & echo $! | tee {tmp_path / 'pid'}; wait"
    with ssh.connect(server.endpoint) as session, pytest.raises(KeyboardInterrupt):
        session.attach(line, os.open(os.devnull, os.O_RDONLY), Interrupts(), io.BytesIO())
    pid = int((tmp_path / "pid").read_text())
    wait_for_end(pid)


def wait_for_end(pid: int) -> None:
    deadline = time.monotonic() + ENDS_WITHIN_S
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"process {pid} still runs"
        time.sleep(0.01)


def is_gone(pid: int) -> bool:
    try:
        return " Z" in Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2][:2]
    except (FileNotFoundError, ProcessLookupError):
        return True


def test_connect_outlasts_drops_before_the_greeting(tmp_path: Path) -> None:
    server = SshServer(tmp_path, drop_first=2)
    with ssh.connect(server.endpoint) as session:
        assert session.run("true").status == 0
    server.close()


def test_server_with_another_key_is_refused(server: SshServer, tmp_path: Path) -> None:
    (tmp_path / "other").write_text(f"* {ssh_keys.generate().host_public}\n")
    with pytest.raises(ssh.SshError, match="not this run's"):
        ssh.connect(replace(server.endpoint, known_hosts=tmp_path / "other"))


def test_key_that_the_host_does_not_know_is_refused(server: SshServer, tmp_path: Path) -> None:
    ssh_keys.write_private(tmp_path / "stranger", ssh_keys.generate().user_private)
    with pytest.raises(ssh.SshError, match="Authentication failed"):
        ssh.connect(replace(server.endpoint, key=tmp_path / "stranger"))


def test_silent_server_is_given_up_by_the_deadline(server: SshServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as silent:
        endpoint = replace(server.endpoint, port=silent.getsockname()[1])
        with pytest.raises(DeadlineError, match="no SSH server answers"):
            ssh.connect(endpoint, deadline_s=0.3)


def test_partition_without_an_address_is_told() -> None:
    with pytest.raises(ssh.SshError, match="twin has no SSH address"):
        ssh.Endpoint.of_partition({"name": "twin", "kernel": "linux", "ssh": None})


def test_partition_without_linux_is_told() -> None:
    with pytest.raises(UsageError, match="lwk0 runs no Linux"):
        ssh.Endpoint.of_partition({"name": "lwk0", "kernel": "lwk", "ssh": None})
