# SPDX-License-Identifier: Apache-2.0
"""Measurements between two LWKs, and of one alone, as the host orders them (ikc_bench.h)."""

import re
from collections.abc import Iterator

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import HERE, build_program, install

PROGRAM = "/tmp/ikc_order"
ANY_CPU = "65535"
KINDS = {
    "echo by polling": (1, 64, 200),
    "echo by doorbell": (2, 64, 50),
    "bare by polling": (3, 8, 200),
    "bare by doorbell": (4, 8, 50),
    "sink": (5, 64, 500),
    "bulk": (6, 65536, 20),
    "ring": (7, 64, 500),
    "memcpy": (8, 65536, 20),
}


@pytest.fixture(scope="module")
def pair(enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enclave]:
    """specs/channels.yaml, with programs/ikc_order.c in its host."""
    made = build_program("ikc_order", tmp_path_factory)
    with enclave_factory(HERE / "specs" / "channels.yaml") as enclave:
        install(enclave, made, PROGRAM)
        yield enclave


def order(
    pair: Enclave, kind: int, to: int, size: int, count: int, own_cpu: str = ANY_CPU, peer_cpu: str = ANY_CPU
) -> str:
    """What lwk0 says to an order."""
    via = str(pair.partition("lwk0")["index"])
    numbers = (str(kind), str(to), str(size), str(count), own_cpu, peer_cpu)
    return pair.host.succeed(PROGRAM, via, *numbers, deadline_s=90.0)


def lwk1(pair: Enclave) -> int:
    return int(pair.partition("lwk1")["index"])


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_measured_again_and_again(pair: Enclave, kind: str) -> None:
    for _ in range(2):
        said = order(pair, KINDS[kind][0], lwk1(pair), *KINDS[kind][1:])
        found = re.fullmatch(r"kind (\d), fine, (\d+) ns\n", said)
        assert found, said
        assert int(found[1]) == KINDS[kind][0]
        assert int(found[2]) > 0


@pytest.mark.parametrize("kind", ["echo by polling", "echo by doorbell", "sink"])
@pytest.mark.parametrize("size", [0, 4096])
def test_shortest_and_longest_messages(pair: Enclave, kind: str, size: int) -> None:
    assert "fine" in order(pair, KINDS[kind][0], lwk1(pair), size, 50)


def test_each_cpu_can_play_a_part(pair: Enclave) -> None:
    for own_cpu, peer_cpu in (("0", "0"), ("1", "1"), ("2", "0")):
        assert "fine" in order(pair, 2, lwk1(pair), 64, 20, own_cpu, peer_cpu)
        assert "fine" in order(pair, 1, lwk1(pair), 64, 20, own_cpu, peer_cpu)


@pytest.mark.parametrize(
    "numbers",
    [(0, 64, 1), (9, 64, 1), (1, 4097, 1), (6, 524289, 1), (1, 64, 0), (1, 64, 4294967295)],
    ids=["no kind", "unknown kind", "long message", "long payload", "none", "far too many"],
)
def test_numbers_that_make_no_sense_are_refused(pair: Enclave, numbers: tuple[int, int, int]) -> None:
    kind, size, count = numbers
    assert "the request makes no sense" in order(pair, kind, lwk1(pair), size, count)


def test_cpus_that_do_not_run_are_refused(pair: Enclave) -> None:
    assert "the request makes no sense" in order(pair, 1, lwk1(pair), 64, 1, own_cpu="3")
    assert "the request makes no sense" in order(pair, 1, lwk1(pair), 64, 1, peer_cpu="2")
    assert "the request makes no sense" in order(pair, 7, lwk1(pair), 64, 1, "1", "1")


def test_nobody_there_is_said(pair: Enclave) -> None:
    assert "no channel" in order(pair, 1, pair.partition("lwk0")["index"], 64, 1)
    assert "no channel" in order(pair, 1, 99, 64, 1)


def test_hung_partition_is_given_up(pair: Enclave) -> None:
    """The order is answered, and the next one is obeyed when the partition is back."""
    pair.fault("lwk1", "hang")
    assert "no channel" in order(pair, 1, lwk1(pair), 64, 1)
    pair.restart("lwk1")
    pair.wait_for(
        lambda status: all(
            state == "RUN" for each in status["partitions"] for state in each["links"].values()
        ),
        "all links RUN",
    )
    assert "fine" in order(pair, 1, lwk1(pair), 64, 20)
