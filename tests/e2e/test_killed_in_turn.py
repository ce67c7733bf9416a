# SPDX-License-Identifier: Apache-2.0
"""Each partition's QEMU is killed in turn while all pairs talk; the others go on as if nothing were."""

import re
from collections.abc import Iterator
from typing import Any

import pytest

from orchestrator.ikc import Region
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import HERE
from tests.e2e.shared_region import shared_region

PARTITIONS = ("host", "lwk0", "lwk1", "lwk2")
LWKS = PARTITIONS[1:]
WITHIN_S = 30.0
STREAMS = (
    *(f"{lwk} {words}" for lwk in LWKS for words in ("--to", "--from --channel")),
    *("lwk1 --to --by lwk0", "lwk2 --to --by lwk1", "lwk0 --to --by lwk2"),
)
# One after the other until told to stop; what each said is a line in the file of its stream.
TRAFFIC = """
    rm -rf /tmp/traffic; mkdir /tmp/traffic
    talk() {
        n=0
        until [ -e /tmp/traffic/stop ]; do
            n=$((n + 1))
            ikcctl stream $2 --count 200 --seed $n >>/tmp/traffic/$1 2>&1
        done
    }
"""
FINE = re.compile(r"200 messages .* all in order, none lost, none twice, checksums right")
# What a stream may end with whose own link has died. Nothing of what it was sent may be wrong.
CUT = re.compile(r"was reset|not RUN|was cut|has closed|refuses|did not answer in time|nothing from .* for")


@pytest.fixture(scope="module")
def four(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(HERE / "specs" / "fabric.yaml") as enclave:
        yield enclave


@pytest.fixture(scope="module")
def region(four: Enclave) -> Iterator[Region]:
    with shared_region(four) as region:
        yield region


def start_traffic(four: Enclave) -> None:
    talks = [f"talk {i} '{words}' &" for i, words in enumerate(STREAMS)]
    four.host.succeed("sh", "-c", f"({TRAFFIC}\n" + "\n".join(talks) + "\n) </dev/null >/dev/null 2>&1 &")
    wait_for_traffic(four, 1, STREAMS)


def said_by(four: Enclave, words: str) -> list[str]:
    return four.host.succeed("cat", f"/tmp/traffic/{STREAMS.index(words)}").splitlines()


def fine_count(four: Enclave, words: str) -> int:
    return sum(bool(FINE.search(line)) for line in said_by(four, words))


def wait_for_traffic(four: Enclave, more: int, streams: tuple[str, ...]) -> None:
    """Until each of the streams has come to its good end that many times more."""
    script = "; ".join(
        f"f=/tmp/traffic/{i}; n=$(grep -c 'all in order' $f); "
        f"until [ $(grep -c 'all in order' $f) -ge $((n + {more})) ]; do usleep 20000; done"
        for i in map(STREAMS.index, streams)
    )
    four.host.succeed("sh", "-c", f"cd /tmp; until [ -e /tmp/traffic/0 ]; do usleep 20000; done; {script}")


def of_others(victim: str) -> tuple[str, ...]:
    """The streams that have nothing to do with it."""
    return tuple(words for words in STREAMS if victim not in words.split())


def lives(region: Region, four: Enclave, one: str, other: str) -> int:
    index = {name: four.partition(name)["index"] for name in (one, other)}
    return region.half(index[one], index[other]).load("lives")


def of_survivors(four: Enclave, region: Region, victim: str) -> dict[str, Any]:
    """What must not change when another one dies."""
    survivors = [name for name in PARTITIONS if name != victim]
    partitions = {name: four.partition(name) for name in survivors}
    same = ("index", "pid", "incarnation", "state")
    return {name: {key: each[key] for key in same} for name, each in partitions.items()} | {
        f"{one} to {other}": lives(region, four, one, other)
        for one in survivors
        for other in survivors
        if one != other
    }


def links_run(four: Enclave) -> None:
    four.wait_for(
        lambda status: all(set(each["links"].values()) == {"RUN"} for each in status["partitions"]),
        "every link to be in RUN",
        WITHIN_S,
    )


def check_traffic(four: Enclave, victim: str) -> None:
    """Streams of survivors are all fine, those of the victim fine or cut."""
    for words in STREAMS:
        for line in said_by(four, words):
            allowed = FINE.search(line) or (words not in of_others(victim) and CUT.search(line))
            assert allowed, f"{victim} was killed; ikcctl stream {words}: {line}"


def kill_and_restart(four: Enclave, region: Region, victim: str) -> None:
    start_traffic(four)
    before = of_survivors(four, region, victim)
    old = {other: lives(region, four, other, victim) for other in PARTITIONS if other != victim}
    uptimes = {name: four.partition(name)["uptime_s"] for name in PARTITIONS if name != victim}
    four.fault(victim, "kill")
    if victim != "host":
        wait_for_traffic(four, 1, of_others(victim))
    four.restart(victim)
    links_run(four)
    assert of_survivors(four, region, victim) == before
    for name, uptime in uptimes.items():
        assert four.partition(name)["uptime_s"] > uptime
    for other, generation in old.items():
        assert lives(region, four, other, victim) != generation
    if victim == "host":
        start_traffic(four)
    wait_for_traffic(four, 1, STREAMS)
    check_traffic(four, victim)
    four.host.succeed("touch", "/tmp/traffic/stop")
    four.host.succeed("sh", "-c", "while pidof ikcctl >/dev/null; do usleep 20000; done")


@pytest.mark.parametrize("victim", PARTITIONS)
def test_partition_is_killed_and_restarted_under_traffic(victim: str, four: Enclave, region: Region) -> None:
    kill_and_restart(four, region, victim)


@pytest.mark.soak
@pytest.mark.parametrize("round_", range(50))
def test_partitions_are_killed_in_turn(round_: int, four: Enclave, region: Region) -> None:
    kill_and_restart(four, region, PARTITIONS[round_ % len(PARTITIONS)])


def test_partition_dies_and_returns_faster_than_a_peer_looks(four: Enclave, region: Region) -> None:
    old = lives(region, four, "lwk1", "lwk0")
    incarnation = four.partition("lwk1")["incarnation"]
    four.fault("lwk1", "pause")
    four.fault("lwk0", "kill")
    four.wait_for(lambda _: four.partition("lwk0")["state"] != "READY", "lwk0 to be dead", WITHIN_S)
    four.restart("lwk0")
    assert lives(region, four, "lwk1", "lwk0") == old  # it has seen nothing of it
    four.fault("lwk1", "continue")
    links_run(four)
    assert lives(region, four, "lwk1", "lwk0") != old
    assert four.partition("lwk1")["incarnation"] == incarnation
    four.host.succeed("ikcctl", "stream", "lwk1", "--to", "--by", "lwk0", "--count", "300")
