# SPDX-License-Identifier: Apache-2.0
"""What repro.sh starts, with fake QEMUs: all but what QEMU would run is real."""

import os
import signal
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from orchestrator.ikc_layout import Layout
from orchestrator.run import RunFolder
from tests.unit.enclaves import Computer, eventually, runs

DEADLINE_S = 60.0


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory, layout: Layout) -> Iterator[RunFolder]:
    """A run that was, and is over."""
    with pytest.MonkeyPatch.context() as patch:
        computer = Computer(tmp_path_factory.mktemp("computer"), layout)
        computer.install(patch.setenv)
        client = computer.up()
        client.down()
        yield client.run


@contextmanager
def by_hand(run: RunFolder) -> Iterator["subprocess.Popen[str]"]:
    """All three kernels are READY, and have said so."""
    with subprocess.Popen(
        [run.repro], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, start_new_session=True
    ) as process:
        watchdog = threading.Timer(DEADLINE_S, process.kill)
        watchdog.start()
        assert process.stdout is not None
        wanted, told = {f"{name:8} | [READY]" for name in ("host", "lwk0", "lwk1")}, []
        try:
            while wanted and (line := process.stdout.readline()):
                told.append(line.rstrip())
                wanted.discard(told[-1])
            assert not wanted, told
            yield process
        finally:
            watchdog.cancel()
            process.kill()


def children(pid: int) -> list[int]:
    return list(map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split()))


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGKILL])
def test_however_it_ends_no_qemu_is_left(over: RunFolder, number: signal.Signals) -> None:
    with by_hand(over) as process:
        qemus = children(process.pid)
        assert len(qemus) == 3
        for qemu in qemus if number is signal.SIGKILL else ():
            os.kill(qemu, signal.SIGSTOP)  # or it would end of itself, when it finds its sockets closed
        process.send_signal(number)
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == (-number if number is signal.SIGKILL else 0)
    eventually(lambda: not any(map(runs, qemus)))
    assert not over.is_running()


def test_it_ends_when_all_qemus_have(over: RunFolder) -> None:
    with by_hand(over) as process:
        for qemu in children(process.pid):
            os.kill(qemu, signal.SIGKILL)
        process.communicate(timeout=DEADLINE_S)
        assert process.returncode == 0


def test_not_twice_at_once_in_a_folder(over: RunFolder) -> None:
    with by_hand(over):
        second = subprocess.run([over.repro], capture_output=True, text=True, check=False)
        assert second.returncode == 2
        assert second.stderr == f"repro.sh: {over.repro} runs already\nhint: end that one first\n"


def test_console_is_shown_line_by_line(over: RunFolder) -> None:
    with by_hand(over) as process:
        process.send_signal(signal.SIGINT)
        rest, _ = process.communicate(timeout=DEADLINE_S)
    # The last line has no end: it is shown when nothing more can come.
    assert "lwk0     | boots" in rest.splitlines()


def test_folder_without_its_files_is_told(over: RunFolder) -> None:
    shared = over.repro_shared.read_text()
    over.repro_shared.write_text("{}")
    done = subprocess.run([over.repro], capture_output=True, text=True, check=False)
    over.repro_shared.write_text(shared)
    assert done.returncode == 2
    assert f"{over.repro_shared} cannot be used" in done.stderr
