# SPDX-License-Identifier: Apache-2.0
"""What kernels find of the node, compared field by field with what specs/topology.yaml says of it."""

import json
import re
from collections.abc import Sequence
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave

MIB = 1 << 20
# The node's distances between the NUMA nodes 0, 1 and 2, as the spec has them.
DISTANCES = [[10, 21, 28], [21, 10, 14], [28, 14, 10]]
MEMORY_MIB = {"host": [256, 256, 128], "lwk0": [128], "lwk1": [32, 64, 128]}
CPUS_OF_NODES = {"host": [[0, 1], [2, 3], []], "lwk0": [[0, 1, 2, 3]], "lwk1": [[], [0, 1, 2, 3, 4, 5], []]}


@pytest.fixture(scope="module")
def sysfs(topology: Enclave) -> dict[str, str]:
    """The host's files in /sys that tell of CPUs and NUMA nodes, by path; all got in one trip."""
    script = r"""
        for file in /sys/devices/system/cpu/online /sys/devices/system/cpu/cpu*/topology/* \
            /sys/devices/system/node/online /sys/devices/system/node/node*/cpulist \
            /sys/devices/system/node/node*/distance /sys/devices/system/memory/block_size_bytes \
            /sys/devices/system/node/node*/access0/initiators/*; do
            [ -f "$file" ] && printf '%s=%s\n' "$file" "$(cat "$file")"
        done
        for node in /sys/devices/system/node/node*; do
            printf '%s/blocks=%s\n' "$node" "$(ls -d "$node"/memory[0-9]* | wc -l)"
        done
    """
    text = topology.host.succeed("sh", "-c", script)
    return dict(line.split("=", 1) for line in text.splitlines() if "=" in line)


def test_host_has_the_cpus_of_the_spec(topology: Enclave, sysfs: dict[str, str]) -> None:
    assert sysfs["/sys/devices/system/cpu/online"] == "0-3"
    numbers = re.findall(r"^processor\s*: (\d+)", topology.host.succeed("cat", "/proc/cpuinfo"), re.MULTILINE)
    assert numbers == ["0", "1", "2", "3"]


def test_host_has_the_apic_ids_of_the_plan(topology: Enclave) -> None:
    text = topology.host.succeed("cat", "/proc/cpuinfo")
    found = [int(number) for number in re.findall(r"^apicid\s*: (\d+)", text, re.MULTILINE)]
    assert found == [cpu.apic_id for cpu in topology.plan.host.cpus]


@pytest.mark.parametrize(
    ("cpu", "socket", "siblings"), [(0, "0", "0-1"), (1, "0", "0-1"), (2, "1", "2-3"), (3, "1", "2-3")]
)
def test_host_knows_sockets_and_threads(sysfs: dict[str, str], cpu: int, socket: str, siblings: str) -> None:
    folder = f"/sys/devices/system/cpu/cpu{cpu}/topology"
    assert sysfs[f"{folder}/physical_package_id"] == socket
    assert sysfs[f"{folder}/thread_siblings_list"] == siblings
    assert sysfs[f"{folder}/core_id"] == "0"


def test_host_has_the_numa_nodes_of_the_spec(sysfs: dict[str, str]) -> None:
    assert sysfs["/sys/devices/system/node/online"] == "0-2"
    cpus = [sysfs[f"/sys/devices/system/node/node{node}/cpulist"] for node in range(3)]
    assert cpus == ["0-1", "2-3", ""]


def test_host_has_the_distances_of_the_spec(sysfs: dict[str, str]) -> None:
    rows = [sysfs[f"/sys/devices/system/node/node{node}/distance"] for node in range(3)]
    assert [[int(word) for word in row.split()] for row in rows] == DISTANCES


def test_host_has_the_memory_of_the_spec_in_each_numa_node(sysfs: dict[str, str]) -> None:
    block = int(sysfs["/sys/devices/system/memory/block_size_bytes"], 16)
    sizes = [int(sysfs[f"/sys/devices/system/node/node{node}/blocks"]) * block // MIB for node in range(3)]
    assert sizes == MEMORY_MIB["host"]


def test_host_has_latency_and_bandwidth_of_the_near_nodes(sysfs: dict[str, str]) -> None:
    def performance(node: int) -> tuple[int, int]:
        folder = f"/sys/devices/system/node/node{node}/access0/initiators"
        return int(sysfs[f"{folder}/read_latency"]), int(sysfs[f"{folder}/read_bandwidth"])

    assert performance(0) == (100, 200 << 10)
    assert performance(2) == (150, 400 << 10)


def test_numactl_shows_the_same(topology: Enclave) -> None:
    text = topology.host.succeed("numactl", "--hardware")
    cpus = [
        [int(cpu) for cpu in row.split()] for row in re.findall(r"^node \d cpus:(.*)", text, re.MULTILINE)
    ]
    assert cpus == CPUS_OF_NODES["host"]
    table = re.findall(r"^ +\d: +([\d ]+)$", text, re.MULTILINE)
    assert [[int(word) for word in row.split()] for row in table] == DISTANCES
    sizes = [int(size) for size in re.findall(r"^node \d size: (\d+) MB", text, re.MULTILINE)]
    # What the kernel keeps for itself at boot is not in its count.
    for found, given in zip(sizes, MEMORY_MIB["host"], strict=True):
        assert 0.8 * given < found <= given


# ---- the LWKs, in their own words ----


@pytest.mark.parametrize("name", ["lwk0", "lwk1"])
def test_lwk_reports_the_cpus_of_the_spec(topology: Enclave, name: str) -> None:
    report = topology.client.report(name)
    plan = next(each for each in topology.plan.partitions if each.name == name)
    found = sorted((cpu["apic_id"], cpu["node"]) for cpu in _cpus(report))
    assert found == sorted((cpu.apic_id, cpu.local_numa) for cpu in plan.cpus)
    for node, cpus in enumerate(CPUS_OF_NODES[name]):
        assert sum(each == node for _, each in found) == len(cpus)
    assert topology.partition(name)["cpus_online"] == len(found)


@pytest.mark.parametrize("name", ["lwk0", "lwk1"])
def test_lwk_reports_the_memory_of_the_spec(topology: Enclave, name: str) -> None:
    sizes = [size * MIB for size in MEMORY_MIB[name]]
    # The 384 KiB below 1 MiB that no PC has RAM in.
    sizes[0] -= 0x60000
    found = [0] * len(sizes)
    for _, size, node in topology.client.report(name)["ranges"]:
        found[node] += size
    assert found == sizes


@pytest.mark.parametrize(("name", "nodes"), [("lwk0", [0]), ("lwk1", [0, 1, 2])])
def test_lwk_reports_the_distances_of_the_spec(topology: Enclave, name: str, nodes: list[int]) -> None:
    assert topology.client.report(name)["distances"] == [[DISTANCES[a][b] for b in nodes] for a in nodes]


@pytest.mark.parametrize("name", ["lwk0", "lwk1"])
def test_lwk_reports_latency_and_bandwidth(topology: Enclave, name: str) -> None:
    report = topology.client.report(name)
    plan = next(each for each in topology.plan.partitions if each.name == name)
    for row in plan.hmat:
        assert report["latency_ns"][row.initiator][row.target] == row.latency_ns
        assert report["bandwidth_mb"][row.initiator][row.target] == row.bandwidth_mbps


def test_lwk_sees_its_near_hbm_as_the_spec_describes_it(topology: Enclave) -> None:
    report = topology.client.report("lwk1")
    assert report["latency_ns"][1][2] == 150
    assert report["bandwidth_mb"][1][2] == 400 << 10


def test_host_reads_the_same_report_through_ikc(topology: Enclave) -> None:
    seen = json.loads(topology.host.succeed("ikcctl", "report", "lwk1", "--json"))
    told = topology.client.report("lwk1")
    assert [(cpu["apic_id"], cpu["node"]) for cpu in seen["cpus"]] == [tuple(cpu) for cpu in told["cpus"]]
    assert [tuple(each.values()) for each in seen["ranges"]] == [tuple(each) for each in told["ranges"]]
    assert seen["distances"] == told["distances"]


def _cpus(report: dict[str, Any]) -> list[dict[str, int]]:
    pairs: Sequence[tuple[int, int]] = report["cpus"]
    return [{"apic_id": apic_id, "node": node} for apic_id, node in pairs]
