# SPDX-License-Identifier: Apache-2.0
"""Specs for hypothesis: any node, any partitions; and such with one thing wrong."""

from collections.abc import Callable
from typing import Any

from hypothesis import strategies as st

from orchestrator import spec_rules
from orchestrator.quantities import MIB, parse_size
from orchestrator.spec import Spec
from orchestrator.topology import Shape

Written = dict[str, Any]
NUMA_MEMORY = "16G"


@st.composite
def written_specs(draw: st.DrawFn) -> Written:
    """A node of up to 96 CPUs, each CPU and each part of memory given to one partition or to nobody."""
    shape = Shape(*(draw(st.integers(1, most)) for most in (3, 2, 8, 2)))
    everything = list(range(shape.cpu_count))
    numa = draw(_numa(shape))
    names = ["host", *(f"other{index}" for index in range(min(draw(st.integers(0, 3)), len(everything) - 1)))]
    cpus = draw(st.permutations(everything))
    owned = {name: [cpus[index]] for index, name in enumerate(names)}
    for cpu in cpus[len(names) :]:
        owner = draw(st.sampled_from([*names, None]))
        if owner:
            owned[owner].append(cpu)
    sizes = st.integers(128, 4000).map(lambda mib: f"{mib}M")
    kernels = {name: draw(st.sampled_from(["lwk", "linux"])) for name in names} | {"host": "linux"}
    partitions = {
        name: {
            "kernel": kernels[name],
            "cpus": owned[name],
            "memory": draw(st.dictionaries(st.integers(0, len(numa) - 1), sizes, min_size=1)),
        }
        for name in names
    }
    counts = dict(zip(("sockets", "dies", "cores", "threads"), shape, strict=True))
    node = {"cpus": counts, "numa": numa, **draw(_distances(len(numa)))}
    _make_near_the_nearest(node)
    return {"name": "any", "node": node, "partitions": partitions}


@st.composite
def _numa(draw: st.DrawFn, shape: Shape) -> list[Written]:
    """NUMA nodes of whole dies, in any order, and up to two of memory alone."""
    dies = sorted({shape.position(cpu)[:2] for cpu in range(shape.cpu_count)})
    home_of = {die: draw(st.integers(0, 3)) for die in dies}
    homes = draw(st.permutations(sorted(set(home_of.values()))))
    numa: list[Written] = [
        {
            "cpus": [cpu for cpu in range(shape.cpu_count) if home_of[shape.position(cpu)[:2]] == home],
            "memory": NUMA_MEMORY,
            "latency": draw(st.integers(1, 2500)),
            "bandwidth": f"{64 * draw(st.integers(1, 65534))}M",
        }
        for home in homes
    ]
    alone = st.fixed_dictionaries(
        {"memory": st.just(NUMA_MEMORY), "kind": st.just("hbm"), "near": st.integers(0, len(homes) - 1)}
    )
    return numa + draw(st.lists(alone, max_size=2))


@st.composite
def _distances(draw: st.DrawFn, count: int) -> Written:
    """Half of the nodes have the default ones."""
    if draw(st.booleans()):
        return {}
    rows = [[10] * count for _ in range(count)]
    for a in range(count):
        for b in range(a):
            rows[a][b] = rows[b][a] = draw(st.integers(11, 254))
    return {"distances": rows}


def _make_near_the_nearest(node: Written) -> None:
    for index, numa in enumerate(node["numa"]):
        if "near" in numa and "distances" in node:
            numa["near"] = min(_with_cpus(node), key=lambda other: node["distances"][index][other])


def _cpu_count(spec: Written) -> int:
    return Shape(*spec["node"]["cpus"].values()).cpu_count


def _with_cpus(node: Written) -> list[int]:
    return [index for index, numa in enumerate(node["numa"]) if "cpus" in numa]


@st.composite
def specs(draw: st.DrawFn) -> Spec:
    spec = Spec.model_validate(draw(written_specs()))
    assert not list(spec_rules.findings(spec))
    return spec


# ---- one thing wrong: what it is, and what the error has to say of it ----

Spoiler = Callable[[st.DrawFn, Written], str]


@st.composite
def spoilt_specs(draw: st.DrawFn) -> tuple[Written, str]:
    spec = draw(written_specs())
    spoil = draw(st.sampled_from(SPOILERS))
    return spec, spoil(draw, spec)


def _cpu_with_two_owners(draw: st.DrawFn, spec: Written) -> str:
    cpu = draw(st.sampled_from(spec["partitions"]["host"]["cpus"]))
    spec["partitions"]["thief"] = {"kernel": "lwk", "cpus": [cpu], "memory": {0: "16M"}}
    return f"partitions.thief.cpus: CPU {cpu} belongs to host already"


def _cpu_that_is_not_there(draw: st.DrawFn, spec: Written) -> str:
    cpu = _cpu_count(spec) + draw(st.integers(0, 20))
    name = draw(st.sampled_from(sorted(spec["partitions"])))
    spec["partitions"][name]["cpus"].append(cpu)
    return f"partitions.{name}.cpus: CPU {cpu} does not exist"


def _numa_node_that_is_not_there(draw: st.DrawFn, spec: Written) -> str:
    index = len(spec["node"]["numa"]) + draw(st.integers(0, 5))
    name = draw(st.sampled_from(sorted(spec["partitions"])))
    spec["partitions"][name]["memory"][index] = "128M"
    return f"partitions.{name}.memory[{index}]: NUMA node {index} does not exist"


def _memory_given_out_twice(draw: st.DrawFn, spec: Written) -> str:
    index = draw(st.integers(0, len(spec["node"]["numa"]) - 1))
    memory = [each["memory"] for each in spec["partitions"].values()]
    taken = sum(parse_size(each[index]) for each in memory if index in each)
    more = (parse_size(NUMA_MEMORY) - taken) // MIB + draw(st.integers(1, 1000))
    spec["partitions"]["greedy"] = {"kernel": "lwk", "cpus": [0], "memory": {index: f"{more}M"}}
    return f"does not fit in NUMA node {index}"


def _cpu_without_numa_node(draw: st.DrawFn, spec: Written) -> str:
    index = draw(st.sampled_from(_with_cpus(spec["node"])))
    cpu = spec["node"]["numa"][index]["cpus"].pop()
    if not spec["node"]["numa"][index]["cpus"]:
        spec["node"]["numa"][index]["cpus"] = [cpu + 1000]
        return f"node.numa[{index}].cpus: CPU {cpu + 1000} does not exist"
    return f"node.numa: CPU {cpu} is in no NUMA node"


def _cpu_in_two_numa_nodes(draw: st.DrawFn, spec: Written) -> str:
    index = draw(st.sampled_from(_with_cpus(spec["node"])))
    cpu = spec["node"]["numa"][index]["cpus"][0]
    spec["node"]["numa"].append({"cpus": [cpu], "memory": "1G"})
    return f"CPU {cpu} is in NUMA node {index} already"


def _memory_near_nothing(draw: st.DrawFn, spec: Written) -> str:
    del draw
    spec["node"]["numa"].append({"memory": "1G"})
    return "a NUMA node without CPUs needs near: N"


def _nobody_is_the_host(draw: st.DrawFn, spec: Written) -> str:
    del draw
    for partition in spec["partitions"].values():
        partition["kernel"] = "lwk"
    return "partitions: no partition has kernel: linux"


def _two_ways_of_two_lengths(draw: st.DrawFn, spec: Written) -> str:
    spec["node"]["numa"].append({"memory": "1G", "near": 0})
    count = len(spec["node"]["numa"])
    rows = [[10 if a == b else 20 for b in range(count)] for a in range(count)]
    rows[count - 1][0] = draw(st.integers(21, 254))
    spec["node"]["distances"] = rows
    return f"the distance from NUMA node {count - 1} to 0 is {rows[count - 1][0]}, and 20 the other way"


def _nearer_than_near(draw: st.DrawFn, spec: Written) -> str:
    numa = spec["node"]["numa"]
    spec["node"]["cpus"]["sockets"] += 1
    more = range(max(cpu for each in numa for cpu in each.get("cpus", ())) + 1, _cpu_count(spec))
    numa[:] = [each for each in numa if "cpus" in each]
    numa.insert(1, {"cpus": list(more), "memory": "1G"})
    numa.append({"memory": "1G", "near": 1})
    count = len(numa)
    rows = [[10 if a == b else 30 for b in range(count)] for a in range(count)]
    rows[0][-1] = rows[-1][0] = draw(st.integers(11, 29))
    spec["node"]["distances"] = rows
    return f"node.numa[{count - 1}].near: NUMA node 1 is at distance 30, and 0 at {rows[0][-1]}"


def _distance_to_itself(draw: st.DrawFn, spec: Written) -> str:
    index, distance = _own_distances(draw, spec), draw(st.integers(11, 254))
    spec["node"]["distances"][index][index] = distance
    return f"node.distances[{index}]: the distance of NUMA node {index} to itself is {distance}"


def _row_that_is_too_long(draw: st.DrawFn, spec: Written) -> str:
    index = _own_distances(draw, spec)
    spec["node"]["distances"][index].append(20)
    count = len(spec["node"]["numa"])
    return f"node.distances[{index}]: row {index} has {count + 1} distances"


def _own_distances(draw: st.DrawFn, spec: Written) -> int:
    """Gives the node right ones, and picks a row."""
    count = len(spec["node"]["numa"])
    spec["node"]["distances"] = [[10 if a == b else 20 for b in range(count)] for a in range(count)]
    return draw(st.integers(0, count - 1))


def _key_that_nobody_knows(draw: st.DrawFn, spec: Written) -> str:
    numa = draw(st.integers(0, len(spec["node"]["numa"]) - 1))
    name = draw(st.sampled_from(sorted(spec["partitions"])))
    places = {
        "": spec,
        "node.": spec["node"],
        "node.cpus.": spec["node"]["cpus"],
        f"node.numa[{numa}].": spec["node"]["numa"][numa],
        f"partitions.{name}.": spec["partitions"][name],
    }
    place = draw(st.sampled_from(sorted(places)))
    places[place]["colour"] = 1
    return f"{place}colour: unknown key 'colour'"


def _kernel_that_there_is_not(draw: st.DrawFn, spec: Written) -> str:
    name = draw(st.sampled_from(sorted(spec["partitions"])))
    spec["partitions"][name]["kernel"] = "minix"
    return f"partitions.{name}.kernel: 'minix' is unknown"


def _memory_in_kibibytes(draw: st.DrawFn, spec: Written) -> str:
    name = draw(st.sampled_from(sorted(spec["partitions"])))
    index = draw(st.sampled_from(sorted(spec["partitions"][name]["memory"])))
    size = f"{1024 * draw(st.integers(300, 900)) + 1}K"
    spec["partitions"][name]["memory"][index] = size
    return f"partitions.{name}.memory[{index}]: '{size}' is not a whole number of mebibytes"


def _too_little_memory(draw: st.DrawFn, spec: Written) -> str:
    index = draw(st.integers(0, len(spec["node"]["numa"]) - 1))
    mib = draw(st.integers(1, 127))
    spec["partitions"]["host"]["memory"] = {index: f"{mib}M"}
    return f"partitions.host.memory: {mib}M is too little"


SPOILERS: tuple[Spoiler, ...] = (
    _cpu_with_two_owners,
    _cpu_that_is_not_there,
    _numa_node_that_is_not_there,
    _memory_given_out_twice,
    _cpu_without_numa_node,
    _cpu_in_two_numa_nodes,
    _memory_near_nothing,
    _nobody_is_the_host,
    _two_ways_of_two_lengths,
    _nearer_than_near,
    _distance_to_itself,
    _row_that_is_too_long,
    _key_that_nobody_knows,
    _kernel_that_there_is_not,
    _memory_in_kibibytes,
    _too_little_memory,
)
