# SPDX-License-Identifier: Apache-2.0
"""The spec: what a person may write about a node and its partitions, key by key.

The models here say which keys there are, and what each value must look like by itself. What values mean
to each other is checked in spec_rules.py. docs/spec.md is the reference for people.
"""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Discriminator, Field, Tag, WithJsonSchema

from orchestrator.kinds import KernelKind, MemoryKind
from orchestrator.quantities import MIB, QuantityError, as_written, parse_cpu_list, parse_size

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


# Tags of forms stand in pydantic's paths, beside names and keys: in brackets, which no name has.
def _kernel_form(value: object) -> str:
    return "[custom]" if isinstance(value, dict | CustomKernel) else "[built-in]"


BuiltInKernel = Literal["linux", "source", "lwk"]
Kernel = Annotated[
    Annotated[BuiltInKernel, Tag("[built-in]")] | Annotated[CustomKernel, Tag("[custom]")],
    Discriminator(_kernel_form),
]


def parse_processors(value: object) -> object:
    return value if value == "auto" else parse_cpu_list(value)


def parse_binding(value: object) -> object:
    """ "auto", or numbers to numbers. Raises QuantityError."""
    if value != "auto" and not (isinstance(value, dict) and all(map(_is_index, [*value, *value.values()]))):
        raise QuantityError(
            f"{as_written(value)} is no binding of memory",
            "write auto, or NUMA node: NUMA node of this computer, for example {0: 0, 1: 0}",
        )
    return value


def _is_index(value: object) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0


Processors = Annotated[Literal["auto"] | tuple[int, ...], BeforeValidator(parse_processors)]
Binding = Annotated[Literal["auto"] | dict[int, int], BeforeValidator(parse_binding)]


class Place(_Model):
    """Where on this computer a partition runs; what is not said is left to Linux."""

    cpus: Annotated[
        Processors | None,
        WithJsonSchema({"anyOf": [{"const": "auto"}, _CPUS_SCHEMA]}),
        Field(description="processors of this computer, one for each CPU of the partition in its order"),
    ] = None
    memory: Annotated[
        Binding | None, Field(description="NUMA node: the NUMA node of this computer that it lies in")
    ] = None
    hugepages: Size | None = Field(None, description="the size of pages that memory is made of: 2M or 1G")


def _place_form(value: object) -> str:
    return "[auto]" if isinstance(value, str) else "[explicit]"


class Partition(_Model):
    """A slice of the node and the kernel that runs in it."""

    kernel: Kernel
    cpus: CpuList
    memory: Annotated[dict[NodeIndex, Size], Field(min_length=1, description="how much of which NUMA node")]
    cmdline: Cmdline = Field("", description="appended to the command line of linux, source or lwk")
    place: (
        Annotated[
            Annotated[Literal["auto"], Tag("[auto]")] | Annotated[Place, Tag("[explicit]")],
            Discriminator(_place_form),
        ]
        | None
    ) = Field(None, description="where on this computer it runs")
    packages: tuple[Package, ...] = Field((), description="Debian packages to add; Linux only")
    files: dict[GuestPath, Annotated[str, Field(min_length=1)]] = Field(
        {}, description="path in the guest: file to put there, relative to the folder of the spec; Linux only"
    )

    @property
    def runs_linux(self) -> bool:
        return isinstance(self.kernel, str) and KernelKind(self.kernel).runs_linux


class Spec(_Model):
    """A node and how it is partitioned. Partitions keep the order in which they are written."""

    name: Name
    node: Node
    partitions: Annotated[dict[Name, Partition], Field(min_length=1, max_length=PARTITIONS_MAX)]


def host_name(spec: Spec) -> str:
    """The host is the first partition that runs Linux. Raises StopIteration if there is none."""
    return next(name for name, partition in spec.partitions.items() if partition.runs_linux)


def json_schema() -> dict[str, Any]:
    """JSON Schema of a rendered spec, for editors."""
    return {"$schema": "https://json-schema.org/draft/2020-12/schema", **Spec.model_json_schema()}
