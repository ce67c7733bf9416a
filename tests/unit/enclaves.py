# SPDX-License-Identifier: Apache-2.0
"""Enclaves of fake QEMUs (fake_qemu.py): all of the live half is real but what QEMU would run."""

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client import Client
from orchestrator.deadlines import Deadlines
from orchestrator.errors import EnclaveError
from orchestrator.host_image import HostImage
from orchestrator.ikc_layout import Layout, ensure_layout
from orchestrator.kinds import KernelKind
from orchestrator.launch_options import LaunchOptions
from orchestrator.plan import Plan
from orchestrator.resolve import resolve
from orchestrator.run import RunFolder
from orchestrator.spec_file import load_spec
from orchestrator.standby import standby
from tests.unit import fake_qemu

ROOT = Path(__file__).parents[2]
SHORT = Deadlines(launch_s=60, ready_s=60, answer_s=1, shutdown_s=5, monitor_s=5)
SPEC = """
name: {name}
node:
  cpus: {{sockets: 1, cores: 3, threads: 1}}
  numa: [{{cpus: 0-2, memory: 1G}}]
partitions:
  host: {{kernel: linux, cpus: [0], memory: {{0: 128M}}}}
  lwk0: {{kernel: lwk, cpus: [1], memory: {{0: 32M}}, cmdline: "{lwk0}"}}
  lwk1: {{kernel: lwk, cpus: [2], memory: {{0: 32M}}}}
"""


class Computer:
    """A PATH with a fake QEMU, and a runtime folder; ends what was started."""

    def __init__(self, folder: Path, layout: Layout) -> None:
        self.folder = folder
        self.layout = layout
        self.runs: list[RunFolder] = []

    def install(self, setenv: Callable[[str, str], None]) -> None:
        programs = self.folder / "bin"
        programs.mkdir()
        qemu = programs / "qemu-system-x86_64"
        qemu.write_text(f'#!/bin/sh\nPYTHONPATH={ROOT} exec {sys.executable} -m tests.unit.fake_qemu "$@"\n')
        qemu.chmod(0o755)
        ensure_layout(self.folder)
        setenv(fake_qemu.BUILD, str(self.folder))
        setenv("PATH", f"{programs}:{os.environ['PATH']}")
        setenv("ENCLAVE_RUNTIME_DIR", str(self.folder / "run"))

    def plan(self, name: str = "fake", lwk0: str = "") -> Plan:
        spec = self.folder / f"{name}.yaml"
        spec.write_text(SPEC.format(name=name, lwk0=lwk0))
        return resolve(load_spec(spec, {}), spec)

    def start(
        self, name: str = "fake", lwk0: str = "", interpose: bool = False, wait_gdb: tuple[str, ...] = ()
    ) -> Client:
        """`lwk0` is the mood of that partition's guest."""
        run = RunFolder(name)
        kernel = self.folder / "kernel"
        kernel.touch()
        self.runs.append(run)
        images = {KernelKind.LINUX: HostImage(kernel, kernel, "6.1")}
        options = LaunchOptions("tcg", self.layout, images, kernel, 0, interpose, None, wait_gdb)
        with standby() as waiting:
            return waiting.start(run, self.plan(name, lwk0), options)

    def up(self, name: str = "fake", interpose: bool = False, lwk0: str = "") -> Client:
        client = self.start(name, lwk0, interpose=interpose)
        client.wait()
        return client

    def close(self) -> None:
        for run in self.runs:
            if run.is_running():
                Client(run).down()


def partition(client: Client, name: str) -> dict[str, Any]:
    return next(dict(each) for each in client.status()["partitions"] if each["name"] == name)


def state(client: Client, name: str) -> tuple[str, str]:
    found = partition(client, name)
    return found["state"], found["reason"]


def eventually(predicate: Callable[[], bool], deadline_s: float = 30) -> None:
    """For what no event tells: the end of processes, mostly."""
    deadline = time.monotonic() + deadline_s
    while not predicate():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def fails_with(kind: type[EnclaveError], call: Callable[..., Any], *arguments: Any) -> str:
    """The message of the error that a call raises."""
    with pytest.raises(kind) as raised:
        call(*arguments)
    return raised.value.message


def runs(pid: int) -> bool:
    """Whether there is such a process that is not merely waiting to be reaped."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


def type_in(client: Client, name: str, text: str) -> None:
    """Returns when the guest has echoed it."""
    with client.console(name) as console:
        console.sendall(text.encode() + b"\n")
        seen = b""
        while text.encode() not in seen.replace(b"boots", b""):
            seen += console.recv(4096)
