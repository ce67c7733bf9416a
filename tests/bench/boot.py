# SPDX-License-Identifier: Apache-2.0
"""Figures of booting: an enclave against its bare parts, and what it costs in memory."""

import json
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.bench import bare
from tests.bench.figure import Figure, in_turn

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
LWK = BUILD / "lwk" / "lwk.elf"
PROGRAM = Path(sys.executable).parent / "enclave"
LWK_CPUS = 4

ONE_LWK = f"""\
name: bench
node:
  cpus: {{sockets: 1, cores: {LWK_CPUS + 1}}}
  numa:
    - {{cpus: 0-{LWK_CPUS}, memory: 2G}}
partitions:
  host: {{kernel: linux, cpus: [0], memory: {{0: 512M}}}}
  lwk0: {{kernel: lwk, cpus: 1-{LWK_CPUS}, memory: {{0: 256M}}}}
"""


def enclave(*arguments: str) -> str:
    """Runs the command as a person would; raises CalledProcessError with what it said."""
    result = subprocess.run([str(PROGRAM), *arguments], check=True, stdout=subprocess.PIPE, text=True)
    return result.stdout


def status(name: str) -> dict[str, Any]:
    answer: dict[str, Any] = json.loads(enclave("status", "-e", name, "--json"))
    return answer


def partition(name: str, wanted: str) -> dict[str, Any]:
    return next(found for found in status(name)["partitions"] if found["name"] == wanted)


@contextmanager
def running(spec: Path, name: str) -> Iterator[str]:
    """Yields what `up` said: the status, as JSON."""
    said = enclave("up", str(spec), "--name", name, "--json")
    try:
        yield said
    finally:
        enclave("down", name)


def resident_mib(pid: int) -> float:
    """Memory that only this process holds: the shared regions are counted once, elsewhere (smaps_rollup)."""
    fields = dict(
        line.split(":", 1) for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()[1:]
    )
    return sum(int(fields[key].split()[0]) for key in ("Private_Clean", "Private_Dirty")) / 1024


def up_and_answered(spec: Path, name: str) -> float:
    """Seconds from `enclave up` to an answered SSH command, all partitions READY in between."""
    begun = time.monotonic()
    with running(spec, name) as ready:
        subprocess.run(ssh_command(json.loads(ready)["ssh"], "true"), check=True)
        return time.monotonic() - begun


def ssh_command(reached: dict[str, Any], *command: str) -> list[str]:
    """OpenSSH's client, with nothing but what the run gives."""
    options = ("BatchMode=yes", f"UserKnownHostsFile={reached['known_hosts']}", "LogLevel=ERROR")
    return [
        *("ssh", "-F", "none", "-i", reached["key"], "-p", str(reached["port"])),
        *(word for option in options for word in ("-o", option)),
        f"{reached['user']}@{reached['host']}",
        *command,
    ]


def seconds_of(*command: str) -> float:
    begun = time.monotonic()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return time.monotonic() - begun


def status_figure(runs: int, name: str) -> Figure:
    answered, python = in_turn(
        3 * runs,
        lambda: seconds_of(str(PROGRAM), "status", "-e", name),
        lambda: seconds_of(sys.executable, "-c", "pass"),
    )
    return Figure("`enclave status`, whole process", "s", answered, "Python doing nothing", python)


def host_files(name: str, folder: Path) -> tuple[Path, Path, str, str]:
    """Kernel, initramfs (a copy in `folder`), kernel command line and accelerator of a running host."""
    found = status(name)
    command = shlex.split((Path(found["run_folder"]) / "command-host.txt").read_text())
    kernel, initramfs, words = (
        command[command.index(option) + 1] for option in ("-kernel", "-initrd", "-append")
    )
    kept = folder / "initramfs"
    kept.write_bytes(Path(initramfs).read_bytes())
    return Path(kernel), kept, words, found["accelerator"]


def figures(runs: int) -> Sequence[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return duo_figures(runs, Path(folder))


def duo_figures(runs: int, folder: Path) -> Sequence[Figure]:
    duo = ROOT / "specs" / "duo.yaml"
    with running(duo, "bench-duo"):
        kernel, initramfs, words, accelerator = host_files("bench-duo", folder)
        supervisor = resident_mib(status("bench-duo")["supervisor_pid"])
        lwk_qemu = resident_mib(partition("bench-duo", "lwk0")["pid"])
        host_qemu = resident_mib(partition("bench-duo", "host")["pid"])
        status_answer = status_figure(runs, "bench-duo")

    ready, to_init = in_turn(
        runs,
        lambda: up_and_answered(duo, "bench-duo"),
        lambda: bare.linux_to_init(accelerator, kernel, initramfs, 2, words),
    )
    return [
        Figure("duo: up to all READY and SSH answered", "s", ready, "bare Linux to init", to_init, 1.5),
        *lwk_figures(runs, accelerator),
        status_answer,
        Figure("memory of the supervisor", "MiB", [supervisor]),
        Figure("memory of an LWK's QEMU, beyond its RAM", "MiB", [lwk_qemu]),
        Figure("memory of the host's QEMU, with its RAM", "MiB", [host_qemu]),
    ]


def restarted(name: str, wanted: str) -> float:
    """Seconds from the start of a partition's new QEMU to READY."""
    enclave("restart", "-e", name, wanted)
    return float(partition(name, wanted)["ready_s"])


def lwk_figures(runs: int, accelerator: str) -> Sequence[Figure]:
    """The LWK is restarted in an enclave whose host is idle, in turn with the bare machine."""
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as spec:
        spec.write(ONE_LWK)
        spec.flush()
        with running(Path(spec.name), "bench-lwk"):
            to_ready, to_line = in_turn(
                3 * runs,
                lambda: restarted("bench-lwk", "lwk0"),
                lambda: bare.lwk_to_first_line(accelerator, LWK, LWK_CPUS),
            )
    name = f"LWK with {LWK_CPUS} CPUs: QEMU's start to READY"
    return [
        Figure(name, "s", to_ready, "bare LWK to its first line", to_line),
        Figure(f"{name} (limit in seconds)", "s", to_ready, limit=0.2),
    ]
