# SPDX-License-Identifier: Apache-2.0
"""What Linux, its tools, the ACPI tables and the LWKs show of a node, compared with what the spec says of it.

`make test` boots the two specs in the folder beside and two of the shipped nodes, others with NODES_SEED=N;
`make soak` boots all.
"""

import json
import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from orchestrator.kinds import KernelKind
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from orchestrator.spec_file import load_spec
from tests.e2e import acpi_tables, seen_by_linux
from tests.e2e.conftest import HERE, NODES_SEED, ROOT
from tests.e2e.node_slice import Slice, grouped, slice_of
from tests.e2e.seen_on_lwk import Tree, check_cpus, check_nodes

OWN = ("topology", "irregular")
NODES = sorted(path.stem for path in (ROOT / "specs").glob("*.yaml"))
CHOSEN = random.Random(NODES_SEED).sample(NODES, 2)

# A program that looks into all files of more CPUs takes long.
CPUS_LOOKED_AT = 16

# No PC has RAM between 640 KiB and 1 MiB.
PC_HOLE = 0x60000


class Booted(NamedTuple):
    """A node that runs, and the spec that it was booted from."""

    enclave: Enclave
    spec: Spec

    @property
    def slices(self) -> dict[str, Slice]:
        return {name: slice_of(self.spec, name) for name in self.spec.partitions}

    def of_kind(self, kernel: str) -> Iterator[tuple[str, Slice]]:
        for name, partition in self.spec.partitions.items():
            if partition.kernel == kernel:
                yield name, slice_of(self.spec, name)


def specs() -> Iterator[Any]:
    for name in OWN:
        yield pytest.param(HERE / "specs" / f"{name}.yaml", id=name)
    for name in NODES:
        marks = () if name in CHOSEN else pytest.mark.soak
        yield pytest.param(ROOT / "specs" / f"{name}.yaml", id=name, marks=marks)


@pytest.fixture(scope="module", params=specs())
def node(request: pytest.FixtureRequest, enclave_factory: EnclaveFactory) -> Iterator[Booted]:
    path: Path = request.param
    spec = talkative(load_spec(path, {}))
    with enclave_factory.of_plan(resolve(spec, path)) as enclave:
        yield Booted(enclave, spec)


def talkative(spec: Spec) -> Spec:
    """The same, with tools in Linux, and LWKs that write down all that they find."""
    more: dict[str, dict[str, Any]] = {
        "linux": {"packages": seen_by_linux.PACKAGES},
        "lwk": {"cmdline": "loglevel=debug"},
    }
    partitions = {
        name: partition.model_copy(update=more[str(partition.kernel)])
        for name, partition in spec.partitions.items()
    }
    return spec.model_copy(update={"partitions": partitions})


# ---- Linux ----


def test_sysfs_shows_the_cpus_of_the_spec(node: Booted) -> None:
    for name, given in node.of_kind("linux"):
        sysfs = seen_by_linux.Sysfs(node.enclave.linux(name))
        assert sysfs.cpus == list(range(given.cpus))
        assert sysfs.groups("physical_package_id") == sysfs.lists("package_cpus_list") == given.sockets
        assert sysfs.groups("physical_package_id", "die_id") == sysfs.lists("die_cpus_list") == given.dies
        assert sysfs.groups("physical_package_id", "die_id", "core_id") == given.cores
        assert sysfs.lists("thread_siblings_list") == given.cores


def test_linux_numbers_cpus_as_the_plan_does(node: Booted) -> None:
    for partition in node.enclave.plan.partitions:
        if partition.kind is KernelKind.LINUX:
            text = node.enclave.linux(partition.name).succeed("cat", "/proc/cpuinfo")
            found = [int(number) for number in re.findall(r"^apicid\s*: (\d+)", text, re.MULTILINE)]
            assert found == [cpu.apic_id for cpu in partition.cpus]


def test_sysfs_shows_the_numa_nodes_of_the_spec(node: Booted) -> None:
    for name, given in node.of_kind("linux"):
        sysfs = seen_by_linux.Sysfs(node.enclave.linux(name))
        assert sysfs.nodes == list(range(len(given.memory)))
        assert sysfs.node_cpus() == given.node_cpus
        assert sysfs.memory() == given.memory
        assert sysfs.distances() == given.distances
        assert seen_by_linux.cpu_list(sysfs.files["node/has_cpu"]) == having(given.node_cpus)
        assert seen_by_linux.cpu_list(sysfs.files["node/has_memory"]) == having(given.memory)


def test_sysfs_has_latency_and_bandwidth_in_both_access_classes(node: Booted) -> None:
    """Class 0 is of any initiator, class 1 of CPUs. Under TCG Linux makes the classes before it has started
    any CPU but the first (maxcpus=1), so that class 1 knows the CPUs of no other NUMA node."""
    for name, given in node.of_kind("linux"):
        sysfs = seen_by_linux.Sysfs(node.enclave.linux(name))
        first = next(local for local, cpus in enumerate(given.node_cpus) if 0 in cpus)
        closest_started = [first] * len(given.memory) if emulated(node.enclave) else given.closest
        assert sysfs.access(0) == performance(given, given.closest)
        assert sysfs.access(1) == performance(given, closest_started)


def emulated(enclave: Enclave) -> bool:
    return bool(enclave.status()["accelerator"] == "tcg")


def performance(given: Slice, initiators: list[int]) -> dict[int, dict[str, Any]]:
    """What an access class is to say of each target, if these are its initiators."""
    if not given.hmat_is_complete:
        return {}
    return {
        target: {
            "initiators": [initiator],
            "read_latency": given.latency_ns[initiator, target],
            "write_latency": given.latency_ns[initiator, target],
            "read_bandwidth": given.bandwidth_mb[initiator, target],
            "write_bandwidth": given.bandwidth_mb[initiator, target],
        }
        for target, initiator in enumerate(initiators)
    }


def test_numactl_shows_the_numa_nodes_of_the_spec(node: Booted) -> None:
    for name, given in node.of_kind("linux"):
        found = seen_by_linux.numactl(node.enclave.linux(name))
        assert found.node_cpus == given.node_cpus
        assert found.distances == given.distances
        assert_most_of([size << 20 for size in found.memory_mib], given.memory)


def test_hwloc_shows_the_node_of_the_spec(node: Booted) -> None:
    for name, given in node.of_kind("linux"):
        hwloc = seen_by_linux.Hwloc(node.enclave.linux(name))
        assert hwloc.groups("PU") == {frozenset({cpu}) for cpu in range(given.cpus)}
        assert hwloc.groups("Core") == given.cores
        assert hwloc.groups("Package") == given.sockets
        # It leaves out dies of one CPU, or that are whole sockets.
        assert hwloc.groups("Die") == {die for die in given.dies - given.sockets if len(die) > 1}
        assert hwloc.distances() == given.distances
        memory = hwloc.memory()
        assert sorted(memory) == list(range(len(given.memory)))
        assert_most_of([memory[local] for local in sorted(memory)], given.memory)


def test_acpi_tables_say_what_the_spec_says(node: Booted) -> None:
    for name, given in node.of_kind("linux"):
        tables = seen_by_linux.acpi_tables(node.enclave.linux(name))
        present = acpi_tables.madt(tables["APIC"])
        srat = acpi_tables.srat(tables["SRAT"])
        hmat = acpi_tables.hmat(tables["HMAT"])
        # APIC ids are ordered as the CPUs are, so that they tell which is which.
        by_node = [
            [cpu for cpu, apic_id in enumerate(sorted(present)) if srat.cpus[apic_id] == local]
            for local in range(len(given.memory))
        ]
        assert by_node == given.node_cpus
        assert memory_of(srat.memory, len(given.memory)) == without_hole(given.memory)
        # QEMU writes no table of one distance.
        if len(given.memory) > 1:
            assert acpi_tables.slit(tables["SLIT"]) == given.distances
        assert hmat.initiators == dict(enumerate(given.closest))
        assert {pair: ns for pair, ns in hmat.latency_ns.items() if ns} == given.latency_ns
        assert {pair: mb for pair, mb in hmat.bandwidth_mb.items() if mb} == given.bandwidth_mb


# ---- the LWKs, in their own words ----


def test_each_lwk_logs_the_cpus_of_its_slice(node: Booted) -> None:
    pattern = r"CPU (\d+): APIC id \d+, node (\d+), package (\d+), core (\d+), thread (\d+)"
    for name, given in node.of_kind("lwk"):
        rows = [tuple(map(int, row)) for row in re.findall(pattern, node.enclave.log(name))]
        assert [cpu for cpu, *_ in rows] == list(range(given.cpus))
        by_node = [[cpu for cpu, of, *_ in rows if of == local] for local in range(len(given.memory))]
        assert by_node == given.node_cpus
        assert grouped({cpu: (package,) for cpu, _, package, _, _ in rows}) == given.sockets
        assert grouped({cpu: (package, core) for cpu, _, package, core, _ in rows}) == given.cores


def test_each_lwk_reports_its_slice(node: Booted) -> None:
    for name, given in node.of_kind("lwk"):
        report = node.enclave.client.report(name)
        plan = next(each for each in node.enclave.plan.partitions if each.name == name)
        assert sorted(apic_id for apic_id, _ in report["cpus"]) == [cpu.apic_id for cpu in plan.cpus]
        nodes_of_cpus = [of for _, of in sorted(report["cpus"])]
        by_node = [
            [cpu for cpu, of in enumerate(nodes_of_cpus) if of == local] for local in range(len(given.memory))
        ]
        assert by_node == given.node_cpus
        assert node.enclave.partition(name)["cpus_online"] == given.cpus
        ranges = [acpi_tables.Memory(*row) for row in report["ranges"]]
        assert memory_of(ranges, len(given.memory)) == without_hole(given.memory)
        assert report["distances"] == given.distances
        for (initiator, target), latency in given.latency_ns.items():
            assert report["latency_ns"][initiator][target] == latency
        for (initiator, target), bandwidth in given.bandwidth_mb.items():
            assert report["bandwidth_mb"][initiator][target] == bandwidth


def test_host_reads_the_same_reports_through_ikc(node: Booted) -> None:
    for name, _ in node.of_kind("lwk"):
        seen = json.loads(node.enclave.host.succeed("ikcctl", "report", name, "--json"))
        told = node.enclave.client.report(name)
        assert [[cpu["apic_id"], cpu["node"]] for cpu in seen["cpus"]] == told["cpus"]
        assert [list(each.values()) for each in seen["ranges"]] == told["ranges"]
        assert seen["distances"] == told["distances"]


def test_programs_on_each_lwk_see_its_slice(node: Booted) -> None:
    for name, given in node.of_kind("lwk"):
        if given.cpus <= CPUS_LOOKED_AT:
            tree = Tree(node.enclave, name)
            check_cpus(tree, given)
            check_nodes(tree, given)


def having(rows: list[Any]) -> list[int]:
    return [index for index, row in enumerate(rows) if row]


def memory_of(ranges: list[acpi_tables.Memory], nodes: int) -> list[int]:
    return [sum(each.size for each in ranges if each.node == local) for local in range(nodes)]


def without_hole(memory: list[int]) -> list[int]:
    """The hole is in the first of the NUMA nodes that have memory."""
    first = having(memory)[0]
    return [size - PC_HOLE * (local == first) for local, size in enumerate(memory)]


def assert_most_of(found: list[int], given: list[int]) -> None:
    """What the kernel keeps for itself at boot is not in its count."""
    for has, should in zip(found, given, strict=True):
        assert 0.7 * should <= has <= should
