# SPDX-License-Identifier: Apache-2.0
"""The Linux that is built from source does what Debian's does. To build it takes minutes, once."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import ROOT
from tests.e2e.test_gdb import rows, run_gdb

pytestmark = [pytest.mark.soak, pytest.mark.timeout(3600)]

THROWN_AWAY_MAX = 1000
LONE_HOST = """\
name: lone-source
node:
  cpus: {sockets: 1, cores: 2}
  numa: [{cpus: 0-1, memory: 512M}]
partitions:
  host: {kernel: source, cpus: 0-1, memory: {0: 512M}}
"""


@pytest.fixture(scope="module")
def duo_from_source(
    enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Enclave]:
    spec = tmp_path_factory.mktemp("source") / "duo.yaml"
    text = (ROOT / "specs" / "duo.yaml").read_text()
    spec.write_text(text.replace("kernel: linux", "kernel: source").replace("name: duo", "name: duo-source"))
    with enclave_factory(spec) as enclave:
        yield enclave


def test_host_runs_the_kernel_from_source_with_no_module_but_ours(duo_from_source: Enclave) -> None:
    assert duo_from_source.partition("host")["kernel"] == "source"
    assert "-enclave-" in duo_from_source.host.succeed("uname", "-r")
    modules = duo_from_source.host.succeed("cat", "/proc/modules").splitlines()
    assert [line.split()[0] for line in modules] == ["ikc"]


def test_host_has_the_cpus_and_numa_nodes_of_the_spec(duo_from_source: Enclave) -> None:
    def read(name: str) -> str:
        return duo_from_source.host.succeed("cat", f"/sys/devices/system/{name}").strip()

    assert read("cpu/online") == "0-1"
    assert [read(f"cpu/cpu{cpu}/topology/physical_package_id") for cpu in (0, 1)] == ["0", "1"]
    assert [read(f"node/node{node}/cpulist") for node in (0, 1)] == ["0", "1"]
    assert [read(f"node/node{node}/distance") for node in (0, 1)] == ["10 20", "20 10"]


def test_its_boot_throws_away_next_to_nothing_that_was_translated(
    enclave_factory: EnclaveFactory, tmp_path: Path
) -> None:
    """ahead.h: some dozens of blocks are gone, not thousands. A boot of its own: programs come and go."""
    (tmp_path / "lone.yaml").write_text(LONE_HOST)
    with enclave_factory(tmp_path / "lone.yaml") as enclave:
        told = enclave.host.qmp("human-monitor-command", **{"command-line": "info jit"})
    counted = re.search(r"TB invalidate count\s+(\d+)", told)
    if counted is None:
        pytest.skip("nothing is translated here: KVM")
    assert int(counted[1]) < THROWN_AWAY_MAX


@pytest.mark.parametrize("lwk", ["lwk0", "lwk1"])
def test_messages_stream_both_ways(duo_from_source: Enclave, lwk: str) -> None:
    for direction in ("--to", "--from"):
        text = duo_from_source.host.succeed("ikcctl", "stream", lwk, direction, "--count", "1000")
        assert "all in order, none lost, none twice, checksums right" in text


def test_host_reads_lwks_reports_and_has_their_memory_write_back(duo_from_source: Enclave) -> None:
    seen = json.loads(duo_from_source.host.succeed("ikcctl", "report", "lwk1", "--json"))
    assert len(seen["cpus"]) == 3
    windows = [
        line for line in duo_from_source.host.succeed("dmesg").splitlines() if ": window of lwk" in line
    ]
    assert [line.rpartition(", ")[2] for line in windows] == ["write-back"] * 3


def test_gdb_knows_its_functions_its_callers_and_our_module(duo_from_source: Enclave) -> None:
    shown = run_gdb(
        duo_from_source, "host", "info symbol link_data_one", "thread apply all backtrace", "ikc links"
    )
    assert re.search(r"^link_data_one in section .text of .*/ikc.ko$", shown, re.MULTILINE)
    assert re.search(r"cpu_startup_entry \(\)\n#\d+ .* rest_init \(\)\n(.*\n)?.* start_kernel \(\)", shown)
    assert re.search(r"cpu_startup_entry \(\)\n#\d+ .* start_secondary \(\)", shown)
    assert [row[0] for row in rows(shown, "PEER OURS THEIRS")[:2]] == ["lwk0", "lwk1"]


def test_panic_is_told_and_the_host_comes_back(duo_from_source: Enclave) -> None:
    duo_from_source.fault("host", "panic")
    duo_from_source.wait_for_state("host", "PANICKED")
    duo_from_source.restart("host")
    assert duo_from_source.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")
