# SPDX-License-Identifier: Apache-2.0
"""Figures of booting: an enclave against its bare parts, and what it costs in memory."""

import json
import re
import shlex
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import click

from tests.bench import bare, virtme
from tests.bench.figure import Figure, in_turn

ROOT = Path(__file__).parents[2]
BUILD = ROOT / "build"
LWK = BUILD / "lwk" / "lwk.elf"
PROGRAM = Path(sys.executable).parent / "enclave"
LWK_CPUS = 4
MANY_CPUS = 64

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


class Bare(NamedTuple):
    """What it takes to boot a host's kernel by hand."""

    kernel: Path
    initramfs: Path
    words: str
    accelerator: str

    def to_init(self, cpus: int = 2) -> float:
        return bare.linux_to_init(self.accelerator, self.kernel, self.initramfs, cpus, self.words)


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


def host_files(name: str, folder: Path) -> Bare:
    """Of a running host; the initramfs is a copy in `folder`, which outlives the run."""
    found = status(name)
    command = shlex.split((Path(found["run_folder"]) / "command-host.txt").read_text())
    kernel, initramfs, words = (
        command[command.index(option) + 1] for option in ("-kernel", "-initrd", "-append")
    )
    kept = folder / f"initramfs-{name}"
    kept.write_bytes(Path(initramfs).read_bytes())
    return Bare(Path(kernel), kept, words, found["accelerator"])


def figures(runs: int) -> list[Figure]:
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        return [*duo_figures(runs, Path(folder)), *large_figures(runs)]


def duo_figures(runs: int, folder: Path) -> list[Figure]:
    duo = ROOT / "specs" / "duo.yaml"
    with running(duo, "bench-duo"):
        by_hand = host_files("bench-duo", folder)
        supervisor = resident_mib(status("bench-duo")["supervisor_pid"])
        lwk_qemu = resident_mib(partition("bench-duo", "lwk0")["pid"])
        host_qemu = resident_mib(partition("bench-duo", "host")["pid"])
        status_answer = status_figure(runs, "bench-duo")

    ready, to_init = in_turn(runs, lambda: up_and_answered(duo, "bench-duo"), by_hand.to_init)
    return [
        Figure("duo: up to all READY and SSH answered", "s", ready, "bare Linux to init", to_init, 1.5),
        *source_figures(runs, folder, by_hand),
        many_cpus_host_figure(runs, by_hand),
        *lwk_figures(runs, by_hand.accelerator),
        status_answer,
        Figure("memory of the supervisor", "MiB", [supervisor]),
        Figure("memory of an LWK's QEMU, beyond its RAM", "MiB", [lwk_qemu], limit=60),
        Figure("memory of the host's QEMU, with its RAM", "MiB", [host_qemu]),
    ]


def source_figures(runs: int, folder: Path, debians: Bare) -> list[Figure]:
    """duo on the faster of the two kernels."""
    duo = folder / "duo.yaml"
    text = (ROOT / "specs" / "duo.yaml").read_text()
    duo.write_text(text.replace("kernel: linux", "kernel: source"))
    with running(duo, "bench-source"):
        by_hand = host_files("bench-source", folder)
    ready, to_init = in_turn(runs, lambda: up_and_answered(duo, "bench-source"), by_hand.to_init)
    faster, slower = in_turn(runs, by_hand.to_init, debians.to_init)
    name = "duo with the faster kernel: the same"
    return [
        Figure(name, "s", ready, "that kernel to init, bare", to_init, 1.3),
        *virtme_figures(runs, name, duo, folder, by_hand.accelerator),
        Figure("kernel from source to init, bare", "s", faster, "Debian's", slower),
    ]


def virtme_figures(runs: int, name: str, duo: Path, folder: Path, accelerator: str) -> list[Figure]:
    """None where virtme-ng cannot be had."""
    try:
        other = virtme.prepare(folder)
    except virtme.Unavailable as why:
        click.echo(f"not compared with virtme-ng: {why}", err=True)
        return []
    ready, ran = in_turn(
        runs,
        lambda: up_and_answered(duo, "bench-source"),
        lambda: other.seconds_to_run_a_command(accelerator),
    )
    return [Figure(name, "s", ready, "virtme-ng, one command", ran, 0.1)]


def many_cpus_host_figure(runs: int, by_hand: Bare) -> Figure:
    """The plain machine has started all of its CPUs by then; ours leaves that to its init."""
    to_init, plain = in_turn(
        max(1, runs // 8),
        lambda: by_hand.to_init(MANY_CPUS),
        lambda: bare.plain_linux_to_init(by_hand.accelerator, by_hand.kernel, by_hand.initramfs, MANY_CPUS),
    )
    name = f"Linux with {MANY_CPUS} CPUs to init, as a host"
    return Figure(name, "s", to_init, "by a plain QEMU command", plain, 0.2)


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
        Figure(f"{name} (limit in seconds)", "s", to_ready, limit=0.12),
    ]


def large_figures(runs: int) -> Sequence[Figure]:
    """Of many CPUs, many NUMA nodes and many partitions; with fewer runs, for they take long."""
    few = max(2, runs // 4)
    wide, duo = in_turn(few, lambda: all_ready("wide"), lambda: all_ready("duo"))
    with running(ROOT / "specs" / "wide.yaml", "bench-wide"):
        qemus = [
            resident_mib(each["pid"])
            for each in status("bench-wide")["partitions"]
            if each["kernel"] == "lwk"
        ]
    return [
        many_cpus_figure(few),
        Figure("knl: up to all READY", "s", [all_ready("knl") for _ in range(few)], limit=15),
        Figure("wide (16 LWKs): up to all READY", "s", wide, "duo", duo, 3),
        Figure("memory of each LWK's QEMU in wide, beyond its RAM", "MiB", qemus, limit=60),
    ]


def all_ready(name: str) -> float:
    """Seconds that `enclave up` takes for a shipped spec."""
    begun = time.monotonic()
    with running(ROOT / "specs" / f"{name}.yaml", f"bench-{name}"):
        return time.monotonic() - begun


def many_cpus_figure(runs: int) -> Figure:
    """The LWK's own part of a boot, from its first instruction to READY, beside the firmware's before it."""
    own, firmware = [], []
    with running(ROOT / "specs" / "manycore.yaml", "bench-many"):
        for _ in range(runs):
            restarted("bench-many", "lwk0")
            own.append(float(partition("bench-many", "lwk0")["kernel_ready_s"]))
            log = enclave("log", "-e", "bench-many", "lwk0")
            firmware.append(int(re.findall(r"firmware took (\d+) us", log)[-1]) / 1e6)
    return Figure("LWK with 192 CPUs: first instruction to READY", "s", own, "its firmware", firmware, 0.25)
