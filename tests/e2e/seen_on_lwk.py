# SPDX-License-Identifier: Apache-2.0
"""What programs on an LWK see of its CPUs and nodes in /sys, in the words of node_slice.py."""

import re

from orchestrator.pytest_plugin import Enclave
from orchestrator.quantities import parse_cpu_list
from tests.e2e.node_slice import Groups, Slice, grouped

SYSTEM = "/sys/devices/system"


class Tree:
    """All files in /sys/devices/system/cpu and node that a program on the LWK finds in their folders."""

    def __init__(self, enclave: Enclave, lwk: str) -> None:
        text = enclave.host.succeed(
            "lwkexec", "-p", lwk, "--", "busybox", "grep", "-r", "", f"{SYSTEM}/cpu", f"{SYSTEM}/node"
        )
        self.files: dict[str, list[str]] = {}
        for line in text.splitlines():
            path, content = line.removeprefix(f"{SYSTEM}/").split(":", 1)
            self.files.setdefault(path, []).append(content)

    def line(self, path: str) -> str:
        (only,) = self.files[path]
        return only

    def numbers(self, path: str) -> list[int]:
        return list(parse_cpu_list(self.line(path))) if self.line(path) else []

    def folders(self, kind: str) -> list[int]:
        pattern = re.compile(rf"{kind}/{kind}(\d+)/")
        return sorted({int(match[1]) for path in self.files if (match := pattern.match(path))})

    def same(self, cpus: int, *names: str) -> Groups:
        """The CPUs for which these files in their topology folder all say the same."""
        return grouped(
            {
                cpu: tuple(int(self.line(f"cpu/cpu{cpu}/topology/{name}")) for name in names)
                for cpu in range(cpus)
            }
        )

    def lists(self, cpus: int, name: str) -> Groups:
        return {frozenset(self.numbers(f"cpu/cpu{cpu}/topology/{name}")) for cpu in range(cpus)}

    def masks(self, cpus: int, name: str) -> Groups:
        return {mask(self.line(f"cpu/cpu{cpu}/topology/{name}")) for cpu in range(cpus)}


def mask(text: str) -> frozenset[int]:
    number = int(text.replace(",", ""), 16)
    return frozenset(bit for bit in range(number.bit_length()) if number >> bit & 1)


def sizes(text: str, prefix: str = "") -> dict[str, int]:
    return {name: int(size) for name, size in re.findall(rf"^{prefix}(\w+): +(\d+) kB$", text, re.M)}


def check_cpus(tree: Tree, given: Slice) -> None:
    cpus = given.cpus
    for name in ("online", "possible", "present"):
        assert tree.numbers(f"cpu/{name}") == list(range(cpus)), name
    assert tree.numbers("cpu/offline") == []
    assert tree.folders("cpu") == list(range(cpus))
    assert all(tree.line(f"cpu/cpu{cpu}/online") == "1" for cpu in range(cpus))
    assert tree.same(cpus, "physical_package_id") == given.sockets
    assert tree.same(cpus, "physical_package_id", "core_id") == given.cores
    for name in ("package_cpus", "core_siblings"):
        assert tree.lists(cpus, f"{name}_list") == tree.masks(cpus, name) == given.sockets
    for name in ("core_cpus", "thread_siblings"):
        assert tree.lists(cpus, f"{name}_list") == tree.masks(cpus, name) == given.cores


def check_nodes(tree: Tree, given: Slice) -> None:
    nodes = list(range(len(given.memory)))
    assert tree.folders("node") == tree.numbers("node/online") == tree.numbers("node/possible") == nodes
    assert tree.numbers("node/has_cpu") == [node for node in nodes if given.node_cpus[node]]
    assert tree.numbers("node/has_memory") == [node for node in nodes if given.memory[node]]
    for node in nodes:
        assert tree.numbers(f"node/node{node}/cpulist") == given.node_cpus[node]
        assert mask(tree.line(f"node/node{node}/cpumap")) == set(given.node_cpus[node])
        distances = tree.line(f"node/node{node}/distance").split()
        assert [int(word) for word in distances] == given.distances[node]
        found = sizes("\n".join(tree.files[f"node/node{node}/meminfo"]), f"Node {node} ")
        assert 0.7 * given.memory[node] <= found["MemTotal"] << 10 <= given.memory[node]
        assert found["MemTotal"] == found["MemFree"] + found["MemUsed"]
