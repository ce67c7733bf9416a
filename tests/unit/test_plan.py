# SPDX-License-Identifier: Apache-2.0
"""The plan of a few specs, field by field; test_plan_properties.py has what holds for any."""

from pathlib import Path

import pytest

from orchestrator import spec_rules
from orchestrator.kinds import KernelKind
from orchestrator.numa import access, resolve_distances, resolve_numa
from orchestrator.plan import PartitionPlan, Plan, Segment
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from orchestrator.spec_file import load_spec
from orchestrator.topology import Position, Shape

SPECS = Path(__file__).parents[2] / "specs"
MIB = 1 << 20
GIB = 1 << 30


def plan_of(name: str, **defines: int) -> Plan:
    path = SPECS / f"{name}.yaml"
    return resolve(load_spec(path, defines), path)


# Two sockets of 12 CPUs, and hbm beside the second.
BIG_NODE = {
    "cpus": {"sockets": 2, "dies": 2, "cores": 3, "threads": 2},
    "numa": [
        {"cpus": "0-11", "memory": "8G"},
        {"cpus": "12-23", "memory": "8G"},
        {"memory": "8G", "kind": "hbm", "near": 1},
    ],
}


def host_of(cpus: str, memory: dict[int, str]) -> PartitionPlan:
    """The plan of a host that owns this part of the big node."""
    host = {"kernel": "linux", "cpus": cpus, "memory": memory}
    spec = Spec.model_validate({"name": "one", "node": BIG_NODE, "partitions": {"host": host}})
    assert not list(spec_rules.findings(spec))
    return resolve(spec, Path("one.yaml")).host


# ---- the shipped duo, field by field ----


def test_duo_gives_each_partition_what_the_spec_says() -> None:
    plan = plan_of("duo")
    assert [partition.name for partition in plan.partitions] == ["host", "lwk0", "lwk1"]
    assert [partition.index for partition in plan.partitions] == [0, 1, 2]
    assert [partition.kind for partition in plan.partitions] == [
        KernelKind.LINUX,
        KernelKind.LWK,
        KernelKind.LWK,
    ]
    assert [partition.is_host for partition in plan.partitions] == [True, False, False]
    assert [[cpu.node_cpu for cpu in partition.cpus] for partition in plan.partitions] == [
        [0, 4],
        [1, 2, 3],
        [5, 6, 7],
    ]
    assert [partition.memory_bytes for partition in plan.partitions] == [512 * MIB, 256 * MIB, 320 * MIB]
    assert plan.monitor_id == 3
    assert plan.host is plan.partitions[0]


def test_duo_maps_local_numa_nodes_to_those_of_the_node() -> None:
    _, lwk0, lwk1 = plan_of("duo").partitions
    assert [(numa.local_id, numa.node_id) for numa in lwk0.numa] == [(0, 0)]
    assert [(numa.local_id, numa.node_id, numa.kind) for numa in lwk1.numa] == [(0, 1, "dram"), (1, 2, "hbm")]
    assert lwk1.distances == ((10, 23), (23, 10))
    assert [(numa.local_cpus, numa.initiator) for numa in lwk1.numa] == [((0, 1, 2), 0), ((), 0)]


def test_duo_host_sees_both_sockets_and_the_memory_of_one() -> None:
    host = plan_of("duo").host
    assert host.smp.shape == Shape(2, 1, 1, 1)
    assert host.smp.regular
    assert [(numa.size_bytes, numa.local_cpus) for numa in host.numa] == [(512 * MIB, (0,)), (0, (1,))]
    assert [(row.initiator, row.target, row.latency_ns) for row in host.hmat] == [(0, 0, 100), (1, 0, 200)]


def test_duo_host_has_a_window_onto_every_chunk_of_the_others() -> None:
    plan = plan_of("duo")
    assert [
        (window.partition, window.chunk, window.slot, window.function) for window in plan.host.windows
    ] == [
        (1, 0, 8, 0),
        (2, 0, 8, 1),
        (2, 1, 8, 2),
    ]
    assert [window.size_bytes for window in plan.host.windows] == [256 * MIB, 256 * MIB, 64 * MIB]
    assert not any(partition.windows for partition in plan.partitions if not partition.is_host)


def test_largest_family_has_a_place_for_every_window() -> None:
    windows = plan_of("family", lwks=16).host.windows
    places = [(window.slot, window.function) for window in windows]
    assert len(set(places)) == 16
    assert all(8 <= slot <= 30 and 0 <= function < 8 for slot, function in places)


def test_plan_cannot_be_changed() -> None:
    with pytest.raises(AttributeError):
        plan_of("duo").name = "other"  # type: ignore[misc]


def test_window_is_the_power_of_two_that_holds_the_chunk() -> None:
    host = host_of("0-1", {0: "200M", 1: "512M"})
    assert [chunk.window_bytes for chunk in host.memory] == [256 * MIB, 512 * MIB]


# ---- topology ----


def test_irregular_cpus_are_plugged_into_the_full_shape() -> None:
    host = host_of("0-1,3,12-15", {0: "512M"})
    assert not host.smp.regular
    assert host.cpus[0].at == Position(0, 0, 0, 0)
    assert [cpu.at for cpu in host.cpus[2:4]] == [Position(0, 0, 1, 0), Position(1, 0, 0, 0)]
    assert {cpu.at for cpu in host.cpus} | set(host.smp.spare) == set(host.smp.shape.positions())


def test_one_cpu_has_room_for_a_second_so_that_tcg_keeps_locked_instructions_atomic() -> None:
    host = host_of("7", {0: "512M"})
    assert host.smp.shape.cpu_count == 2
    assert host.smp.spare == (Position(1, 0, 0, 0),)


@pytest.mark.parametrize(
    ("cpus", "apic_ids"), [("0,2,4,12,14,16", [0, 1, 2, 4, 5, 6]), ("0-1,3,12", [0, 1, 2, 4])]
)
def test_gap_in_apic_ids_makes_room_for_more_than_8_cpus(cpus: str, apic_ids: list[int]) -> None:
    host = host_of(cpus, {0: "512M"})
    assert [cpu.apic_id for cpu in host.cpus] == apic_ids
    assert host.smp.shape.cpu_count > 8


def test_dies_of_one_cpu_have_room_for_a_second_so_that_linux_sees_their_socket() -> None:
    host = host_of("0,6", {0: "512M"})
    assert host.smp.shape == Shape(3, 2, 2, 1)
    assert [cpu.at for cpu in host.cpus] == [Position(0, 0, 0, 0), Position(0, 1, 0, 0)]


def test_no_gap_no_more_room_than_needed() -> None:
    assert host_of("0-1,3", {0: "512M"}).smp.shape == Shape(1, 1, 2, 2)


@pytest.mark.parametrize(
    ("shape", "apic_ids"),
    [
        (Shape(2, 1, 2, 1), [0, 1, 2, 3]),
        (Shape(2, 1, 3, 1), [0, 1, 2, 4, 5, 6]),
        (Shape(1, 2, 3, 2), [0, 1, 2, 3, 4, 5, 8, 9, 10, 11, 12, 13]),
    ],
)
def test_apic_ids_are_those_that_qemu_gives(shape: Shape, apic_ids: list[int]) -> None:
    assert [shape.apic_id(at) for at in shape.positions()] == apic_ids


# ---- memory: figures measured with `info mtree` of QEMU 7.2 ----


@pytest.mark.parametrize(
    ("memory", "segments"),
    [
        ({0: "2G"}, [Segment(0, 2 * GIB, 0, 0)]),
        ({0: "2815M"}, [Segment(0, 2815 * MIB, 0, 0)]),
        ({0: "2816M"}, [Segment(0, 2 * GIB, 0, 0), Segment(4 * GIB, 768 * MIB, 0, 2 * GIB)]),
        ({0: "1G", 1: "1G"}, [Segment(0, GIB, 0, 0), Segment(GIB, GIB, 1, 0)]),
        (
            {0: "1G", 1: "2G", 2: "200M"},
            [
                Segment(0, GIB, 0, 0),
                Segment(GIB, GIB, 1, 0),
                Segment(4 * GIB, GIB, 1, GIB),
                Segment(5 * GIB, 200 * MIB, 2, 0),
            ],
        ),
        ({0: "2G", 1: "1G"}, [Segment(0, 2 * GIB, 0, 0), Segment(4 * GIB, GIB, 1, 0)]),
    ],
)
def test_segments_are_where_q35_puts_ram(memory: dict[int, str], segments: list[Segment]) -> None:
    assert list(host_of("0-1", memory).segments) == segments


# ---- distances and HMAT ----


def test_default_distances() -> None:
    assert plan_of("duo").node.distances == ((10, 20, 13), (20, 10, 23), (13, 23, 10))


def test_latency_and_bandwidth_follow_the_distance() -> None:
    path = SPECS / "duo.yaml"
    node = load_spec(path, {}).node
    numa, distances = resolve_numa(node), resolve_distances(node)
    assert access(numa, distances, 0, 2) == (130, 819200)
    assert access(numa, distances, 1, 2) == (230, 462976)
    assert access(numa, distances, 1, 0) == (200, 102400)


def test_memory_without_cpus_is_initiated_by_the_closest_owned_cpus() -> None:
    host = host_of("0,12", {0: "512M", 2: "64M"})
    assert [numa.initiator for numa in host.numa] == [0, 1, 1]


def test_numa_nodes_are_counted_by_their_first_cpu_and_those_without_cpus_behind() -> None:
    host = host_of("12-13", {0: "512M", 2: "64M"})
    assert [(numa.local_id, numa.node_id, numa.local_cpus) for numa in host.numa] == [
        (0, 1, (0, 1)),
        (1, 0, ()),
        (2, 2, ()),
    ]
    assert [chunk.size_bytes for chunk in host.memory] == [512 * MIB, 64 * MIB]
