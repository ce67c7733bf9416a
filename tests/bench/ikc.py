# SPDX-License-Identifier: Apache-2.0
"""Figures of messages between kernels: each beside the bare thing of its kind, between the same two kernels.

All is measured inside the kernels (ikcctl bench, guest-kernels/ikc/ikc_bench.h). Two kernels that look at
their rings all the time need a processor each: on a busy computer those figures grow without bound, the
bare ones too.
"""

import json
import os
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

from tests.bench.boot import enclave, running
from tests.bench.figure import Figure, in_turn

SPEC = """\
name: bench-ikc
node:
  cpus: {sockets: 1, cores: 6}
  numa:
    - {cpus: 0-5, memory: 2G}
partitions:
  host: {kernel: linux, cpus: 0-1, memory: {0: 512M}}
  lwk0: {kernel: lwk, cpus: 2-3, memory: {0: 256M}}
  lwk1: {kernel: lwk, cpus: 4-5, memory: {0: 256M}}
"""
NAME = "bench-ikc"
WORD = 8  # as much as the bare ping-pong carries
SMALL = 64
LARGE = 256 * 1024
# Short, so that some bursts are not disturbed by others on the computer.
COUNTS = {
    "echo-poll": 2000,
    "bare-poll": 2000,
    "echo-bell": 500,
    "bare-bell": 500,
    "sink": 5000,
    "ring": 5000,
}
LARGE_COUNT = 200
BURSTS = 5
SIZES = (8, 64, 512, 4096)
BULK_SIZES = (4096, 65536, 524288)


class Place(NamedTuple):
    """Who measures, against whom, on which of their CPUs (in each kernel's own numbering)."""

    by: str
    peer: str
    cpu: int = 1
    peer_cpu: int = 1


LWKS = Place("lwk0", "lwk1")
WITH_HOST = Place("host", "lwk0")
ALONE = Place("lwk0", "lwk0", 0, 1)


@contextmanager
def kernels() -> Iterator[None]:
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(folder) / "bench-ikc.yaml"
        spec.write_text(SPEC)
        with running(spec, NAME):
            yield


def bursts(place: Place, kind: str, size: int, count: int, times: int) -> list[float]:
    """Nanoseconds for each of `count`, that many times one after the other."""
    words = f"ikcctl bench {place.peer} {kind} --size {size} --count {count} --json"
    words += f" --cpu {place.cpu} --peer-cpu {place.peer_cpu}"
    if place.by != "host":
        words += f" --by {place.by}"
    script = "; ".join([f"{words} || exit"] * times)
    said = enclave("exec", "-e", NAME, "host", "--", "sh", "-c", script)
    return [float(json.loads(line)["ns"]) / count for line in said.splitlines()]


class Sample(NamedTuple):
    place: Place
    kind: str
    size: int = SMALL

    def take(self) -> float:
        """Microseconds each, of the fastest of some bursts: what others on the computer add is not ours."""
        count = LARGE_COUNT if self.size == LARGE else COUNTS[self.kind]
        return min(bursts(self.place, self.kind, self.size, count, BURSTS)) / 1000


def compared(runs: int, name: str, limit: float, sample: Sample, base_name: str, base: Sample) -> Figure:
    samples, bases = in_turn(runs, sample.take, base.take)
    return Figure(name, "us", samples, base_name, bases, limit)


def round_trips(runs: int) -> list[Figure]:
    return [
        compared(
            runs,
            f"round trip by {how}, {words}",
            limit,
            Sample(place, f"echo-{how}", WORD),
            f"bare ping-pong by {how}",
            Sample(place, f"bare-{how}", WORD),
        )
        for words, place in (("LWK and LWK", LWKS), ("host and LWK", WITH_HOST))
        for how, limit in (("poll", 2.0), ("bell", 1.3))
    ]


def one_way(runs: int) -> list[Figure]:
    """The limits are of times; what is asked of rates is turned over: half the rate, twice the time."""
    ring, copy = Sample(ALONE, "ring"), Sample(ALONE, "memcpy", LARGE)
    small, large = Sample(LWKS, "sink"), Sample(LWKS, "bulk", LARGE)
    return [
        compared(runs, "64-byte message, LWK to LWK", 2.0, small, "bare ring in one LWK", ring),
        compared(runs, "256 KiB lent, LWK to LWK", 1 / 0.7, large, "memcpy in one LWK", copy),
    ]


def figures(runs: int) -> list[Figure]:
    with kernels():
        return round_trips(runs) + one_way(runs)


# ---- the matrix ----

HEADER = "test,variant,tier,cpu_a,cpu_b,mem_node,size,repeat,metric,value,unit"


class Cell(NamedTuple):
    """One sample, in the columns of mkbench; `load` is that of the computer when it was taken."""

    test: str
    variant: str
    cpu_a: str
    cpu_b: str
    size: int
    repeat: int
    value: float
    load: float

    def rows(self) -> list[str]:
        where = f"{self.test},{self.variant},ikc,{self.cpu_a},{self.cpu_b},0,{self.size},{self.repeat}"
        return [f"{where},latency,{self.value:.1f},ns", f"{where},load,{self.load:.2f},processes"]


def places() -> list[Place]:
    """Every pair, on the CPU that also serves control messages and on one that does not."""
    pairs = (("lwk0", "lwk1"), ("lwk1", "lwk0"), ("host", "lwk0"), ("host", "lwk1"))
    return [Place(by, peer, cpu, cpu) for by, peer in pairs for cpu in (0, 1)]


def kinds() -> list[tuple[str, int, int]]:
    """Kind, size and count of each cell."""
    of_sizes = [(kind, size, 200) for kind in ("echo-poll", "echo-bell", "sink") for size in SIZES]
    bare = [(kind, SMALL, 200) for kind in ("bare-poll", "bare-bell")]
    return [*of_sizes, *bare, *(("bulk", size, 50) for size in BULK_SIZES)]


def cells_of(place: Place, kind: str, size: int, count: int, repeats: int) -> list[Cell]:
    test, _, variant = kind.partition("-")
    where = (test, variant or "-", f"{place.by}:{place.cpu}", f"{place.peer}:{place.peer_cpu}", size)
    values = bursts(place, kind, size, count, repeats)
    return [Cell(*where, repeat, value, os.getloadavg()[0]) for repeat, value in enumerate(values)]


def matrix(repeats: int) -> list[Cell]:
    """Every kind and size in every place. What makes no progress on this computer is left out."""
    cells = []
    with kernels():
        for place in places():
            for what in kinds():
                try:
                    cells += cells_of(place, *what, repeats)
                except subprocess.CalledProcessError:
                    continue
    return cells


def to_csv(cells: list[Cell]) -> str:
    return "\n".join((HEADER, *(row for cell in cells for row in cell.rows()))) + "\n"
