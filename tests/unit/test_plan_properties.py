# SPDX-License-Identifier: Apache-2.0
"""Any spec: one owner for each CPU and byte, id tables that are inverse, command lines that hold together;
and any bad one: an error that names the cause."""

import tempfile
from collections import Counter
from itertools import combinations, pairwise, product
from pathlib import Path

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.plan import PartitionPlan, Plan
from orchestrator.qemu_command import Wiring, qemu_command
from orchestrator.quantities import parse_size
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from orchestrator.spec_error import SpecError
from orchestrator.spec_file import load_spec
from orchestrator.topology import Position, Shape, compress, enclosing_shape
from tests.unit.any_spec import Written, specs, spoilt_specs


@given(specs())
def test_every_cpu_has_one_owner_and_ids_map_both_ways(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    owned = [cpu.node_cpu for partition in plan.partitions for cpu in partition.cpus]
    assert len(owned) == len(set(owned))
    for partition in plan.partitions:
        assert [cpu.node_cpu for cpu in partition.cpus] == list(spec.partitions[partition.name].cpus)
        assert [cpu.local_cpu for cpu in partition.cpus] == list(range(len(partition.cpus)))
        assert all(a.apic_id < b.apic_id for a, b in pairwise(partition.cpus))
        assert len({cpu.at for cpu in partition.cpus}) == len(partition.cpus)
        assert partition.cpus[0].at == Position(0, 0, 0, 0)
        for cpu in partition.cpus:
            assert cpu.node_cpu in plan.node.numa[cpu.node_numa].cpus
            assert partition.numa[cpu.local_numa].node_id == cpu.node_numa
            assert cpu.local_cpu in partition.numa[cpu.local_numa].local_cpus
        assert [numa.local_id for numa in partition.numa] == list(range(len(partition.numa)))
        assert len({numa.node_id for numa in partition.numa}) == len(partition.numa)
        assert sorted(cpu for numa in partition.numa for cpu in numa.local_cpus) == [
            cpu.local_cpu for cpu in partition.cpus
        ]


@given(specs())
def test_peers_and_windows_are_numbered_once(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    assert [partition.name for partition in plan.partitions] == list(spec.partitions)
    assert [partition.index for partition in plan.partitions] == list(range(len(plan.partitions)))
    assert plan.monitor_id == len(plan.partitions)
    shown = [
        (partition.index, chunk, each.window_bytes)
        for partition in plan.partitions
        if not partition.kind.runs_linux
        for chunk, each in enumerate(partition.memory)
    ]
    assert sorted((each.partition, each.chunk, each.size_bytes) for each in plan.host.windows) == shown
    places = [(each.slot, each.function) for each in plan.host.windows]
    assert len(set(places)) == len(places)


@given(specs())
def test_every_byte_has_one_owner_and_one_guest_address(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    for node_numa in plan.node.numa:
        given_out = [n.size_bytes for p in plan.partitions for n in p.numa if n.node_id == node_numa.node_id]
        assert sum(given_out) <= node_numa.size_bytes
    for partition in plan.partitions:
        assert {numa.node_id: numa.size_bytes for numa in partition.numa if numa.size_bytes} == dict(
            spec.partitions[partition.name].memory
        )
        guest = sorted((segment.phys, segment.phys + segment.size_bytes) for segment in partition.segments)
        assert all(a[1] <= b[0] for a, b in pairwise(guest))
        for index, chunk in enumerate(partition.memory):
            parts = [(s.offset, s.offset + s.size_bytes) for s in partition.segments if s.chunk == index]
            assert [0, *(end for _, end in parts)] == [*(begin for begin, _ in parts), chunk.size_bytes]
            assert chunk.size_bytes <= chunk.window_bytes < 2 * chunk.size_bytes
            assert chunk.window_bytes & (chunk.window_bytes - 1) == 0


@given(specs())
def test_local_matrices_are_cut_out_of_the_nodes(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    for partition in plan.partitions:
        for a in partition.numa:
            assert partition.numa[a.initiator].local_cpus
            assert a.local_cpus == () or a.initiator == a.local_id
            for b in partition.numa:
                assert (
                    partition.distances[a.local_id][b.local_id] == plan.node.distances[a.node_id][b.node_id]
                )
        initiators = [numa.local_id for numa in partition.numa if numa.local_cpus]
        targets = [numa.local_id for numa in partition.numa if numa.size_bytes]
        assert [(row.initiator, row.target) for row in partition.hmat] == list(product(initiators, targets))


@given(st.sets(st.integers(0, 47), min_size=1))
def test_compressed_cpus_keep_their_siblings(cpus: set[int]) -> None:
    shape = Shape(2, 2, 6, 2)
    owned = [shape.position(cpu) for cpu in sorted(cpus)]
    local = compress(owned)
    for (a, local_a), (b, local_b) in combinations(zip(owned, local, strict=True), 2):
        for level in range(1, 5):
            assert (a[:level] == b[:level]) == (local_a[:level] == local_b[:level])
    assert set(local) <= set(enclosing_shape(local).positions())


# ---- command lines ----


def options_of(plan: Plan, partition: PartitionPlan) -> list[tuple[str, str]]:
    """The command line in pairs: each option of ours but a few has a value."""
    wiring = Wiring.by_hand(plan, partition, Path("/run/any"), Path("/kernel"), "")
    words = [word for word in qemu_command(plan, partition, wiring, "tcg")[1:] if word not in FLAGS]
    assert all(word.startswith("-") for word in words[::2])
    return list(zip(words[::2], words[1::2], strict=True))


FLAGS = ("-nodefaults", "-no-user-config")


def parsed(value: str) -> dict[str, str]:
    """What stands before the first comma is the driver, or the kind."""
    kind, _, rest = value.partition(",")
    return {"kind": kind} | dict(item.split("=", 1) for item in rest.split(",") if "=" in item)


def place_of(option: dict[str, str]) -> Position:
    return Position(*(int(option.get(f"{part}-id", "0")) for part in ("socket", "die", "core", "thread")))


@given(specs())
def test_every_command_line_has_a_place_for_each_cpu_and_plugs_those_that_are_owned(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    for partition in plan.partitions:
        options = options_of(plan, partition)
        smp = parsed("smp," + dict(options)["-smp"])
        shape = Shape(*(int(smp[part]) for part in ("sockets", "dies", "cores", "threads")))
        assert int(smp["maxcpus"]) == shape.cpu_count >= len(partition.cpus)
        plugged = [
            place_of(parsed(value)) for name, value in options if name == "-device" and "cpu," in value
        ]
        assert int(smp["cpus"]) + len(plugged) == len(partition.cpus)
        assert {*shape.positions()[: int(smp["cpus"])], *plugged} == {cpu.at for cpu in partition.cpus}
        numa_of = {
            place_of(parsed(value)): int(parsed(value)["node-id"])
            for name, value in options
            if name == "-numa" and value.startswith("cpu,")
        }
        assert set(numa_of) == set(shape.positions())
        assert all(numa_of[cpu.at] == cpu.local_numa for cpu in partition.cpus)


@given(specs())
def test_every_command_line_names_what_it_makes_once(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    for partition in plan.partitions:
        options = options_of(plan, partition)
        made = [(name, parsed(value)["id"]) for name, value in options if ",id=" in value]
        assert max(Counter(made).values()) == 1
        slots = [parsed(value)["addr"] for name, value in options if name == "-device" and "addr=" in value]
        assert max(Counter(slots).values()) == 1
        backends = {
            parsed(value)["id"]: parse_size(parsed(value)["size"])
            for name, value in options
            if name == "-object"
        }
        nodes = [parsed(value) for name, value in options if name == "-numa" and value.startswith("node,")]
        assert [int(each["nodeid"]) for each in nodes] == list(range(len(partition.numa)))
        assert [backends[each["memdev"]] if "memdev" in each else 0 for each in nodes] == [
            numa.size_bytes for numa in partition.numa
        ]
        assert parse_size(dict(options)["-m"].removeprefix("size=")) == partition.memory_bytes


# ---- bad ones ----


@given(spoilt_specs())
def test_bad_spec_is_refused_with_its_cause(spoilt: tuple[Written, str]) -> None:
    spec, cause = spoilt
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        yaml.safe_dump(spec, file, sort_keys=False)
        file.flush()
        with pytest.raises(SpecError) as refused:
            load_spec(Path(file.name), {})
    assert cause in str(refused.value)
