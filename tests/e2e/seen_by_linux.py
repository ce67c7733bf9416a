# SPDX-License-Identifier: Apache-2.0
"""What Linux and its tools show of the node, in the words of node_slice.py."""

import io
import re
import tarfile
from collections.abc import Iterator
from pathlib import PurePosixPath
from typing import Any, NamedTuple
from xml.etree import ElementTree

from orchestrator.pytest_plugin import Linux
from orchestrator.quantities import parse_cpu_list
from tests.e2e.node_slice import Groups, grouped

PACKAGES = ("numactl", "hwloc-nox")
SYSFS_DEADLINE_S = 120.0


def cpu_list(text: str) -> list[int]:
    return list(parse_cpu_list(text)) if text else []


class Sysfs:
    """Files of /sys that tell of CPUs and NUMA nodes; all got in one trip."""

    def __init__(self, linux: Linux) -> None:
        script = r"""
            cd /sys/devices/system
            for file in cpu/online cpu/cpu*/topology/* node/online node/has_cpu node/has_memory \
                node/node*/cpulist node/node*/distance memory/block_size_bytes \
                node/node*/access*/initiators/read_* node/node*/access*/initiators/write_*; do
                [ -f "$file" ] && printf '%s=%s\n' "$file" "$(cat "$file")"
            done
            for path in node/node*/memory[0-9]* node/node*/access*/initiators/node*; do
                [ -e "$path" ] && printf '%s=\n' "$path"
            done
            true
        """
        text = linux.succeed("sh", "-c", script, deadline_s=SYSFS_DEADLINE_S)
        self.files = dict(line.split("=", 1) for line in text.splitlines())
        self.cpus = cpu_list(self.files["cpu/online"])
        self.nodes = cpu_list(self.files["node/online"])

    def groups(self, *numbers: str) -> Groups:
        """The CPUs for which all these files in their topology folder say the same."""
        return grouped(
            {
                cpu: tuple(int(self.files[f"cpu/cpu{cpu}/topology/{number}"]) for number in numbers)
                for cpu in self.cpus
            }
        )

    def lists(self, name: str) -> Groups:
        """The lists of CPUs that one file has in the topology folder of each."""
        return {frozenset(cpu_list(self.files[f"cpu/cpu{cpu}/topology/{name}"])) for cpu in self.cpus}

    def node_cpus(self) -> list[list[int]]:
        return [cpu_list(self.files[f"node/node{node}/cpulist"]) for node in self.nodes]

    def distances(self) -> list[list[int]]:
        rows = [self.files[f"node/node{node}/distance"] for node in self.nodes]
        return [[int(word) for word in row.split()] for row in rows]

    def memory(self) -> list[int]:
        block = int(self.files["memory/block_size_bytes"], 16)
        return [
            block * sum(re.fullmatch(rf"node/node{node}/memory\d+", name) is not None for name in self.files)
            for node in self.nodes
        ]

    def access(self, access_class: int) -> dict[int, dict[str, Any]]:
        """Of each target that has this access class its initiators, and what they reach."""
        found: dict[int, dict[str, Any]] = {}
        for name, text in self.files.items():
            match = re.fullmatch(rf"node/node(\d+)/access{access_class}/initiators/(\w+)", name)
            if match is None:
                continue
            of = found.setdefault(int(match[1]), {"initiators": []})
            if match[2].startswith("node"):
                of["initiators"].append(int(match[2].removeprefix("node")))
            else:
                of[match[2]] = int(text)
        return found


class Numactl(NamedTuple):
    node_cpus: list[list[int]]
    memory_mib: list[int]
    distances: list[list[int]]


def numactl(linux: Linux) -> Numactl:
    text = linux.succeed("numactl", "--hardware")

    def rows(pattern: str) -> list[list[int]]:
        return [[int(word) for word in row.split()] for row in re.findall(pattern, text, re.MULTILINE)]

    sizes = [int(size) for size in re.findall(r"^node \d+ size: (\d+) MB", text, re.MULTILINE)]
    return Numactl(rows(r"^node \d+ cpus:(.*)"), sizes, rows(r"^ +\d+: +([\d ]+)$"))


class Hwloc:
    """What lstopo writes as XML; the format is hwloc2.dtd's."""

    def __init__(self, linux: Linux) -> None:
        self.root = ElementTree.fromstring(linux.succeed("lstopo-no-graphics", "--of", "xml"))

    def _objects(self, kind: str) -> Iterator[ElementTree.Element]:
        return (each for each in self.root.iter("object") if each.get("type") == kind)

    def groups(self, kind: str) -> Groups:
        """Of each object of a type its CPUs, as their PU objects say it."""
        return {
            frozenset(int(pu.attrib["os_index"]) for pu in each.iter("object") if pu.get("type") == "PU")
            for each in self._objects(kind)
        }

    def memory(self) -> dict[int, int]:
        return {
            int(each.attrib["os_index"]): int(each.get("local_memory", 0))
            for each in self._objects("NUMANode")
        }

    def distances(self) -> list[list[int]]:
        """hwloc writes no matrix of one."""
        matrix = self.root.find("distances2[@name='NUMALatency']")
        if matrix is None:
            return [[10]]
        words = " ".join(each.text or "" for each in matrix.iter("u64values")).split()
        count = int(matrix.attrib["nbobjs"])
        return [[int(word) for word in words[count * row : count * (row + 1)]] for row in range(count)]


def acpi_tables(linux: Linux) -> dict[str, bytes]:
    """The firmware's own tables, byte by byte."""
    archive = linux.run("tar", "-c", "-C", "/sys/firmware/acpi", "tables")
    assert archive.status == 0, archive.complaint
    with tarfile.open(fileobj=io.BytesIO(archive.stdout)) as files:
        return {
            PurePosixPath(member.name).name: content.read()
            for member in files
            if (content := files.extractfile(member))
        }
