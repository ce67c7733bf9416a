# SPDX-License-Identifier: Apache-2.0
"""Placements on computers that were made up."""

from itertools import count, islice
from pathlib import Path
from typing import Any

import pytest

from orchestrator.computer import Bank, Computer, Pool, Processor, read_computer
from orchestrator.placement import Placement, PlacementError, place, wish_auto, wish_nothing
from orchestrator.plan import Plan
from orchestrator.resolve import resolve
from orchestrator.spec import Spec

GIB = 1 << 30
MIB2, GIB1 = 2 << 20, 1 << 30


def computer(
    nodes: int, cores: int, threads: int = 1, memory: int = 64 * GIB, hugepages: dict[int, int] | None = None
) -> Computer:
    """Numbered as Linux does: the first threads of all cores, then the second ones."""
    pages = hugepages or {}
    processors = [
        Processor(thread * nodes * cores + core, core // cores, core, thread)
        for thread in range(threads)
        for core in range(nodes * cores)
    ]
    banks = tuple(Bank(node, memory, {s: n // nodes for s, n in pages.items()}) for node in range(nodes))
    return Computer(tuple(processors), banks, {size: Pool(n + 8, n) for size, n in pages.items()})


def duo(host: object = None, lwk0: object = None, lwk1: object = None, threads: int = 1) -> Plan:
    """Two sockets with 4 CPUs each, and hbm beside the first; the partitions of specs/duo.yaml."""
    partitions: dict[str, dict[str, Any]] = {
        "host": {"kernel": "linux", "cpus": [0, 4], "memory": {0: "512M"}},
        "lwk0": {"kernel": "lwk", "cpus": "1-3", "memory": {0: "256M"}},
        "lwk1": {"kernel": "lwk", "cpus": "5-7", "memory": {1: "192M", 2: "64M"}},
    }
    for name, wish in {"host": host, "lwk0": lwk0, "lwk1": lwk1}.items():
        if wish is not None:
            partitions[name]["place"] = wish
    spec = {
        "name": "duo",
        "node": {
            "cpus": {"sockets": 2, "cores": 4 // threads, "threads": threads},
            "numa": [
                {"cpus": "0-3", "memory": "2G"},
                {"cpus": "4-7", "memory": "2G"},
                {"memory": "1G", "kind": "hbm", "near": 0},
            ],
        },
        "partitions": partitions,
    }
    return resolve(Spec.model_validate(spec), Path("duo.yaml"))


def processors(placement: Placement) -> list[tuple[int, ...]]:
    return [each.processors for each in placement.partitions]


def nodes(placement: Placement) -> list[list[tuple[int, ...]]]:
    return [[chunk.nodes for chunk in each.memory] for each in placement.partitions]


def refusal(plan: Plan, on: Computer) -> tuple[str, str]:
    with pytest.raises(PlacementError) as raised:
        place(plan, on)
    return raised.value.message, raised.value.hint


# ---- CPUs ----


def test_cpus_of_one_numa_node_come_to_lie_in_one() -> None:
    placement = place(duo("auto", "auto", "auto"), computer(nodes=2, cores=8))
    on_node = [[number // 8 for number in each] for each in processors(placement)]
    (host0, host1), lwk0, lwk1 = on_node
    assert {host0, *lwk0} != {host1, *lwk1}
    assert len({host0, *lwk0}) == len({host1, *lwk1}) == 1


def test_no_processor_has_two_owners_and_the_first_core_is_for_all_else() -> None:
    placement = place(duo("auto", "auto", "auto"), computer(nodes=2, cores=8))
    taken = [number for each in processors(placement) for number in each]
    assert len(taken) == len(set(taken)) == 8
    assert 0 in placement.others
    assert set(placement.others) == set(range(16)) - set(taken)


def test_a_full_computer_has_one_processor_for_all_else() -> None:
    placement = place(duo("auto", "auto", "auto"), computer(nodes=1, cores=9))
    assert sorted(number for each in processors(placement) for number in each) == list(range(1, 9))
    assert placement.others == (0,)


def test_groups_are_split_where_no_node_has_room_for_one() -> None:
    placement = place(duo("auto", "auto", "auto"), computer(nodes=4, cores=3))
    taken = [number for each in processors(placement) for number in each]
    assert len(set(taken)) == 8
    assert set(placement.others).isdisjoint(taken)
    assert len(nodes(placement)[1][0]) == 2  # its CPUs are in two nodes, and its memory is in both


def test_cpus_without_siblings_get_a_core_each() -> None:
    """And the other threads of those cores are left alone as long as there are others."""
    placement = place(duo(lwk0="auto"), computer(nodes=1, cores=8, threads=2))
    assert processors(placement) == [(), (1, 2, 3), ()]
    assert placement.others == (0, 4, 5, 6, 7, 8, 12, 13, 14, 15)


def test_threads_of_a_core_lie_on_threads_of_a_core() -> None:
    placement = place(duo(lwk1="auto", threads=2), computer(nodes=1, cores=8, threads=2))
    assert processors(placement)[2] == (1, 9, 2)


def test_what_is_written_comes_first() -> None:
    plan = duo({"cpus": [1, 3]}, "auto")
    placement = place(plan, computer(nodes=1, cores=6))
    assert processors(placement) == [(1, 3), (2, 4, 5), ()]
    assert placement.others == (0,)


def test_memory_alone_pins_nothing() -> None:
    placement = place(duo(lwk0={"memory": {0: 1}}), computer(nodes=2, cores=2))
    assert processors(placement) == [(), (), ()]
    assert placement.others == ()
    assert nodes(placement) == [[()], [(1,)], [(), ()]]


def test_more_cpus_than_processors_is_refused() -> None:
    message, hint = refusal(duo("auto", "auto", "auto"), computer(nodes=1, cores=8))
    assert message == (
        "9 processors are needed, one for each pinned CPU (8) and one for all else; we may use 8 (0-7)"
    )
    assert "--place none" in hint


def test_processor_that_is_not_there_is_refused() -> None:
    message, hint = refusal(duo(lwk0={"cpus": "6-8"}), computer(nodes=1, cores=8))
    assert message == "processor 8 is not there, or not for us"
    assert hint == "we may use 8 (0-7); `taskset -p $$` shows what Linux lets us use"


def test_processors_of_other_enclaves_are_theirs() -> None:
    on = computer(nodes=1, cores=4)._replace(taken=(4, 5))
    assert refusal(duo(lwk0={"cpus": "3-5"}), on) == (
        "processor 4-5 is not there, or not for us",
        "we may use 4 (0-3), other enclaves have 4-5; `taskset -p $$` shows what Linux lets us use",
    )


# ---- memory ----


def test_memory_follows_the_cpus_and_that_without_cpus_what_it_is_near_to() -> None:
    placement = place(duo("auto", "auto", "auto"), computer(nodes=2, cores=8))
    (host,), (lwk0,), (lwk1, hbm) = nodes(placement)
    assert host == lwk0 == hbm
    assert {host, lwk1} == {(0,), (1,)}


def test_a_single_node_is_no_choice() -> None:
    assert nodes(place(duo("auto", "auto"), computer(nodes=1, cores=8))) == [[()], [()], [(), ()]]


def test_unknown_node_is_refused() -> None:
    message, hint = refusal(duo(lwk0={"memory": {0: 2}}), computer(nodes=2, cores=2))
    assert message == "lwk0: this computer has no NUMA node 2"
    assert hint.startswith("it has 0-1")


def test_more_memory_than_a_node_has_is_refused() -> None:
    plan = duo({"memory": {0: 1}}, {"memory": {0: 1}})
    message, _ = refusal(plan, computer(nodes=2, cores=2, memory=600 << 20))
    assert message == "768M are to lie in NUMA node 1 of this computer, which has 600M"


# ---- hugepages ----


def test_hugepages_are_counted_by_what_windows_take() -> None:
    plan = duo({"hugepages": "2M"}, None, {"hugepages": "2M"})
    # 512M, and for the LWK's 192M a window of 256M, and 64M.
    needed = (512 + 256 + 64) // 2
    placement = place(plan, computer(nodes=1, cores=2, hugepages={MIB2: needed}))
    sizes = [[chunk.hugepage_bytes for chunk in each.memory] for each in placement.partitions]
    assert sizes == [[MIB2], [0], [MIB2, MIB2]]

    message, hint = refusal(plan, computer(nodes=1, cores=2, hugepages={MIB2: needed - 1}))
    assert message == f"{needed} hugepages of 2M are needed, {needed - 1} are free"
    assert hint == f"as root: echo {needed + 8} > /sys/kernel/mm/hugepages/hugepages-2048kB/nr_hugepages"


def test_hugepages_must_be_free_where_memory_is_bound() -> None:
    plan = duo(lwk0={"memory": {0: 1}, "hugepages": "2M"})
    message, hint = refusal(plan, computer(nodes=2, cores=2, hugepages={MIB2: 128}))
    assert message == ("128 hugepages of 2M are needed in NUMA node 1 of this computer, 64 are free there")
    assert hint == (
        "as root, add 64 to the number in /sys/devices/system/node/node1/hugepages/hugepages-2048kB/"
        "nr_hugepages"
    )


def test_size_of_hugepages_that_this_computer_has_not_is_refused() -> None:
    plan = duo(lwk1=None, host={"hugepages": "2M"})
    assert refusal(plan, computer(nodes=1, cores=2)) == (
        "this computer has no hugepages of 2M",
        "sizes that it has: none",
    )


# ---- asked for at the command line ----


def test_auto_leaves_what_the_spec_says() -> None:
    placement = place(wish_auto(duo({"cpus": [3, 2]})), computer(nodes=1, cores=9))
    assert processors(placement)[0] == (2, 3)
    assert all(map(len, processors(placement)))


def test_nothing_undoes_what_the_spec_says() -> None:
    assert not any(each.place.said for each in wish_nothing(duo("auto", {"hugepages": "2M"})).partitions)


# ---- /sys ----


def write(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(f"{text}\n")


@pytest.fixture
def sys(tmp_path: Path) -> Path:
    """Two NUMA nodes with a core of two threads each, and a third with memory alone."""
    for number, siblings in enumerate(("0,2", "1,3", "0,2", "1,3")):
        write(tmp_path / f"devices/system/cpu/cpu{number}/topology/thread_siblings_list", siblings)
    for node, cpus in enumerate(("0,2", "1,3", "")):
        folder = tmp_path / f"devices/system/node/node{node}"
        write(folder / "cpulist", cpus)
        write(folder / "meminfo", f"Node {node} MemTotal:       {1048576 * (node + 1)} kB")
        for name, number in {"nr": 10, "free": 4 + node}.items():
            write(folder / f"hugepages/hugepages-2048kB/{name}_hugepages", str(number))
    for name, number in {"nr": 30, "free": 15, "resv": 5}.items():
        write(tmp_path / f"kernel/mm/hugepages/hugepages-2048kB/{name}_hugepages", str(number))
    return tmp_path


def test_computer_is_read_from_sys(sys: Path) -> None:
    found = read_computer({0, 1, 2, 3}, sys=sys)
    assert found.processors == (
        Processor(0, 0, 0, 0),
        Processor(1, 1, 1, 0),
        Processor(2, 0, 0, 1),
        Processor(3, 1, 1, 1),
    )
    assert [bank.memory_bytes // GIB for bank in found.banks] == [1, 2, 3]
    assert [bank.free_hugepages[MIB2] for bank in found.banks] == [4, 5, 6]
    assert found.pools == {MIB2: Pool(30, 10)}


def test_processors_that_are_not_ours_do_not_count(sys: Path) -> None:
    assert [each.number for each in read_computer({1, 3}, sys=sys).processors] == [1, 3]
    others = read_computer({0, 1, 3}, {1, 2}, sys)
    assert [each.number for each in others.processors] == [0, 3]
    assert others.taken == (1,)


def test_a_computer_that_tells_nothing_has_one_node(tmp_path: Path) -> None:
    found = read_computer({0, 1}, sys=tmp_path)
    assert found == Computer((Processor(0, 0, 0, 0), Processor(1, 0, 1, 0)), (Bank(0, 0, {}),), {})


def test_every_made_up_computer_gives_each_cpu_one_processor() -> None:
    plan = duo("auto", "auto", "auto")
    tried = 0
    for count_nodes, cores, threads in islice(
        ((n, c, t) for c in count(1) for n in (1, 2, 3, 4) for t in (1, 2, 4)), 120
    ):
        if count_nodes * cores * threads < 9:
            continue
        on = computer(count_nodes, cores, threads)
        placement = place(plan, on)
        taken = [number for each in processors(placement) for number in each]
        assert len(set(taken)) == 8
        assert placement.others
        assert set(placement.others).isdisjoint(taken)
        assert {*taken, *placement.others} <= {each.number for each in on.processors}
        tried += 1
    assert tried > 60
