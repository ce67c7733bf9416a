# SPDX-License-Identifier: Apache-2.0
"""Figures of programs on an LWK, each beside the same program on the host, or beside messages to the LWK.

All is measured by the program itself (offload.c), in bursts of some milliseconds, of which the fastest
counts: what others on the computer add is not ours. Two kernels that look for each other's words need a
processor each; where there are fewer, what is measured is how the computer divides them.
"""

import os
import subprocess
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from orchestrator.quantities import parse_cpu_list
from tests.bench.boot import enclave, running
from tests.bench.figure import Figure, in_turn

SPEC = """\
name: bench-offload
node:
  cpus: {sockets: 1, cores: 4}
  numa:
    - {cpus: 0-3, memory: 2G}
partitions:
  host: {kernel: linux, cpus: 0-1, memory: {0: 512M}}
  lwk0: {kernel: lwk, cpus: 2-3, memory: {0: 256M}}
"""
NAME = "bench-offload"
LWK = "lwk0"
SOURCE = Path(__file__).with_name("offload.c")
PROGRAM = "/tmp/offload"
FILE = "/tmp/mib"
WORD = 8  # bytes of a message, as little as can be
ROUND_TRIPS = 200
THREADS = 8


@contextmanager
def kernels() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / f"{NAME}.yaml"
        spec.write_text(SPEC)
        program = Path(folder) / Path(PROGRAM).name
        subprocess.run(["gcc", "-std=gnu11", "-O2", "-static", "-pthread", "-o", program, SOURCE], check=True)
        with running(spec, NAME):
            enclave("push", "-q", "-e", NAME, "--to", str(Path(PROGRAM).parent), str(program))
            on_host(f"dd if=/dev/zero of={FILE} bs=1M count=1 2>/dev/null")
            yield


def on_host(script: str) -> str:
    return enclave("exec", "-e", NAME, "host", "--", "sh", "-c", script)


def fastest(command: str) -> float:
    """Microseconds."""
    return min(float(line) for line in on_host(command).splitlines()) / 1000


class Program(NamedTuple):
    """A burst of offload.c: what it does, how many bursts, how often in each, and what else it needs."""

    what: str
    bursts: int
    each: int
    words: str = ""

    @property
    def command(self) -> str:
        return f"{PROGRAM} {self.what} {self.bursts} {self.each} {self.words}"

    def on_host(self) -> float:
        return fastest(self.command)

    def on_lwk(self, options: str = "") -> float:
        return fastest(f"lwkexec -p {LWK} {options} {self.command}")


def round_trip(how: str) -> float:
    """Over a channel between the kernels, by polling or by doorbells (ikcctl bench)."""
    one = f"ikcctl bench {LWK} echo-{how} --size {WORD} --count {ROUND_TRIPS} --cpu 1 --peer-cpu 1 --json"
    awk = (
        "awk -F'[:,}]' '{for (i = 1; i < NF; i++) if ($i ~ /\"ns\"/) print $(i + 1) / "
        + str(ROUND_TRIPS)
        + "}'"
    )
    return fastest(f"for i in 1 2 3 4 5 6 7 8; do {one}; done | {awk}")


def beside_host(runs: int, name: str, limit: float, program: Program, unit: str = "us") -> Figure:
    samples, bases = in_turn(runs, program.on_lwk, program.on_host)
    return Figure(name, unit, samples, "in the host's Linux", bases, limit)


def beside_round_trip(
    runs: int, name: str, limit: float, take: Callable[[], float], how: str, base_name: str
) -> Figure:
    samples, bases = in_turn(runs, take, lambda: round_trip(how))
    return Figure(name, "us", samples, base_name, bases, limit)


def threads_in_sum(runs: int, cpus: str) -> Figure:
    """Each CPU of the LWK looks for answers, and one of the host's for questions."""
    alone, together = (Program("threads", 24, 2400, str(threads)) for threads in (1, THREADS))
    options = f"--cpus {cpus}"
    in_sum, by_one = in_turn(runs, lambda: together.on_lwk(options), lambda: alone.on_lwk(options))
    looking = len(parse_cpu_list(cpus)) + 1
    name = f"an offloaded call, {THREADS} threads on CPU {cpus} in sum"
    limit = 1.0 if (os.cpu_count() or 1) >= looking else None
    return Figure(name, "us", in_sum, "1 thread", by_one, limit)


def calls(runs: int) -> list[Figure]:
    offloaded = Program("offload", 30, 100)
    return [
        beside_host(runs, "a local call (getpid)", 1.0, Program("local", 10, 20000)),
        beside_round_trip(
            runs,
            "an offloaded call (getppid), both sides asleep",
            2.0,
            lambda: offloaded.on_lwk("--poll 0"),
            "bell",
            "round trip by doorbell",
        ),
        beside_round_trip(
            runs,
            "an offloaded call, both sides looking",
            10.0,
            lambda: offloaded.on_lwk("--poll 1000"),
            "poll",
            "round trip by polling",
        ),
        *(threads_in_sum(runs, cpus) for cpus in ("1", "0-1")),
    ]


def memory(runs: int) -> list[Figure]:
    """Half the speed is twice the time."""
    return [
        beside_host(runs, "STREAM triad, 3 arrays of 2 MiB", 1.0, Program("triad", 16, 1)),
        beside_host(runs, "read of 1 MiB", 2.0, Program("read", 20, 2, FILE)),
    ]


def start(runs: int) -> Figure:
    """Of offload.c itself, which does nothing then: fork and exec by a program on the host, of either."""
    here = Program("start", 24, 1, PROGRAM)
    there = Program("start", 24, 1, f"/usr/sbin/lwkexec -p {LWK} {PROGRAM}")
    samples, bases = in_turn(runs, there.on_host, here.on_host)
    return Figure(
        "a static program started and waited for", "us", samples, "fork and exec on the host", bases, 3.0
    )


def figures(runs: int) -> list[Figure]:
    with kernels():
        return [*calls(runs), *memory(runs), start(runs)]
