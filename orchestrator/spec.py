# SPDX-License-Identifier: Apache-2.0
"""The spec: what a person may write about a node and its partitions, key by key.

The models here say which keys there are, and what each value must look like by itself. What values mean
to each other is checked in spec_rules.py. docs/spec.md is the reference for people.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from orchestrator.kinds import MemoryKind
from orchestrator.quantities import MIB, QuantityError, parse_cpu_list, parse_size

PARTITIONS_MAX = 63  # the region has ids for 64 peers (IKC_PARTITIONS_MAX), and one is the monitor's
NUMA_NODES_MAX = 63  # 64 segments of RAM per partition (IKC_SEGMENTS_MAX), and one node is split at 4 GiB
LATENCY_MAX_NS = 2500  # times the largest distance, 254 / 10, it still fits the 16 bits of an HMAT entry
BANDWIDTH_STEP_MBPS = 64  # HMAT entries have 16 bits: in these steps they nearly reach 4 TB/s
BANDWIDTH_MAX_MBPS = 65534 * BANDWIDTH_STEP_MBPS

NAME_PATTERN = r"[a-z][a-z0-9-]{0,30}"
PACKAGE_PATTERN = r"[a-z0-9][a-z0-9+.-]+"  # Debian policy 5.6.1
GUEST_PATH_PATTERN = r"(/[!-.0-~]+)+"
CMDLINE_PATTERN = r"[ -~]{0,1024}"

_SIZE_SCHEMA = {
    "type": "string",
    "pattern": "^[0-9]+[KMGT]$",
    "description": "whole mebibytes, for example 512M or 2G",
}
_CPU_RANGES = {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?(,[0-9]+(-[0-9]+)?)*$"}
_CPU_NUMBER = {"type": "integer", "minimum": 0}
_CPUS_SCHEMA = {
    "anyOf": [
        _CPU_NUMBER,
        _CPU_RANGES,
        {"type": "array", "items": {"anyOf": [_CPU_NUMBER, _CPU_RANGES]}, "minItems": 1},
    ],
    "description": 'CPUs of the node, for example 3, 0-3, "0-3,8" or [0, 4]',
}


def parse_bandwidth(value: object) -> int:
    """MB/s, in the MiB that HMAT means by it, of a size per second such as "200G"."""
    mbps = parse_size(value) // MIB
    if mbps % BANDWIDTH_STEP_MBPS or mbps > BANDWIDTH_MAX_MBPS:
        raise QuantityError(
            f"{value!r} is no bandwidth that the HMAT can hold",
            f"write bytes per second in steps of {BANDWIDTH_STEP_MBPS}M, less than 4T, for example 200G",
        )
    return mbps


Size = Annotated[int, BeforeValidator(parse_size), WithJsonSchema(_SIZE_SCHEMA)]
Bandwidth = Annotated[
    int, BeforeValidator(parse_bandwidth), WithJsonSchema(_SIZE_SCHEMA | {"description": "bytes per second"})
]
CpuList = Annotated[tuple[int, ...], BeforeValidator(parse_cpu_list), WithJsonSchema(_CPUS_SCHEMA)]
Name = Annotated[str, Field(pattern=f"^{NAME_PATTERN}$")]
Cmdline = Annotated[str, Field(pattern=f"^{CMDLINE_PATTERN}$")]
Package = Annotated[str, Field(pattern=f"^{PACKAGE_PATTERN}$")]
GuestPath = Annotated[str, Field(pattern=f"^{GUEST_PATH_PATTERN}$")]
Count = Annotated[int, Field(strict=True, ge=1, le=256)]
NodeIndex = Annotated[int, Field(strict=True, ge=0)]


class _Model(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class NodeCpus(_Model):
    """Sockets of the node, dies in each, cores in each of those, and hardware threads in each core."""

    sockets: Count
    dies: Count = 1
    cores: Count
    threads: Count = 1


class NumaNode(_Model):
    """One NUMA node. With CPUs it is a place to run; without, memory beside the node that `near` names."""

    cpus: CpuList = ()
    memory: Size
    kind: MemoryKind = MemoryKind.DRAM
    near: NodeIndex | None = Field(
        None, description="for a node without CPUs: the NUMA node whose CPUs are closest"
    )
    latency: Annotated[int, Field(strict=True, ge=1, le=LATENCY_MAX_NS)] | None = Field(
        None, description="nanoseconds from the closest CPUs; default 100 for dram, 130 for hbm"
    )
    bandwidth: Bandwidth | None = Field(
        None, description="bytes per second to the closest CPUs; default 200G for dram, 800G for hbm"
    )


class Node(_Model):
    """The virtual compute node, all of which the partitions may share out among them."""

    cpus: NodeCpus
    numa: Annotated[tuple[NumaNode, ...], Field(min_length=1, max_length=NUMA_NODES_MAX)]
    distances: tuple[tuple[Annotated[int, Field(strict=True)], ...], ...] | None = Field(
        None, description="ACPI SLIT, one row per NUMA node: 10 to itself, 11 to 254 to others, symmetric"
    )


class CustomKernel(_Model):
    """A kernel of your own: anything that QEMU's -kernel starts."""

    path: Annotated[str, Field(min_length=1, description="relative to the folder of the spec")]
    cmdline: Cmdline = ""


def _kernel_form(value: object) -> str:
    return "custom" if isinstance(value, dict | CustomKernel) else "built-in"


BuiltInKernel = Literal["linux", "lwk"]
Kernel = Annotated[
    Annotated[BuiltInKernel, Tag("built-in")] | Annotated[CustomKernel, Tag("custom")],
    Discriminator(_kernel_form),
]


class Partition(_Model):
    """A slice of the node and the kernel that runs in it."""

    kernel: Kernel
    cpus: CpuList
    memory: Annotated[dict[NodeIndex, Size], Field(min_length=1, description="how much of which NUMA node")]
    cmdline: Cmdline = Field("", description="appended to the command line of linux or lwk")
    packages: tuple[Package, ...] = Field((), description="Debian packages to add; linux only")
    files: dict[GuestPath, Annotated[str, Field(min_length=1)]] = Field(
        {}, description="path in the guest: file to put there, relative to the folder of the spec; linux only"
    )


class Spec(_Model):
    """A node and how it is partitioned. Partitions keep the order in which they are written."""

    name: Name
    node: Node
    partitions: Annotated[dict[Name, Partition], Field(min_length=1, max_length=PARTITIONS_MAX)]


def host_name(spec: Spec) -> str:
    """The host is the first partition that runs Linux. Raises StopIteration if there is none."""
    return next(name for name, partition in spec.partitions.items() if partition.kernel == "linux")


def json_schema() -> dict[str, Any]:
    """JSON Schema of a rendered spec, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Spec.model_json_schema()}
