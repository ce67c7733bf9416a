# SPDX-License-Identifier: Apache-2.0
"""All pairs of a host and three LWKs talk at once, while doorbells are lost, late and doubled."""

import itertools
import json
from collections.abc import Iterator

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import HERE

LWKS = ("lwk0", "lwk1", "lwk2")
# A lost doorbell stops its stream until the monitor's next PROBE, so few are lost.
DROP, DELAY_S, DUPLICATE = 1 / 1000, 0.003, 0.05
OF_HOST = ("--to", "--from", "--to --channel", "--from --channel")


@pytest.fixture(scope="module")
def fabric(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(HERE / "specs" / "fabric.yaml", interpose=True) as enclave:
        yield enclave


def streams() -> list[str]:
    """The words of `ikcctl stream` for each direction of each pair: two streams each."""
    of_host = [f"{lwk} {words}" for lwk in LWKS for words in OF_HOST]
    return of_host + 2 * [f"{to} --to --by {by}" for by, to in itertools.permutations(LWKS, 2)]


def run_at_once(fabric: Enclave, count: int, seed: int, deadline_s: float) -> list[dict[str, object]]:
    """What each stream of `count` messages says; the seeds are different ones."""
    lines = [
        f'ikcctl stream {words} --count {count} --seed {seed + i} --json & pids="$pids $!"'
        for i, words in enumerate(streams())
    ]
    script = "\n".join((*lines, "for pid in $pids; do wait $pid; done"))
    said = fabric.host.succeed("sh", "-c", script, deadline_s=deadline_s)
    return [json.loads(line) for line in said.splitlines()]


def pass_through_every_pair(fabric: Enclave, count: int, seed: int, deadline_s: float) -> None:
    with fabric.doorbell_faults(drop=DROP, delay_s=DELAY_S, duplicate=DUPLICATE, seed=seed):
        results = run_at_once(fabric, count, seed, deadline_s)
    assert [result["fault"] for result in results] == [None] * len(streams())
    assert {result["messages"] for result in results} == {count}
    assert {partition["state"] for partition in fabric.status()["partitions"]} == {"READY"}
    assert {partition["incarnation"] for partition in fabric.status()["partitions"]} == {1}
    ended = fabric.events("fault")[-1]
    assert ended["fault"] == "doorbell rule removed"
    assert min(ended[did] for did in ("dropped", "delayed", "duplicated")) > 0


@pytest.mark.parametrize("seed", [1])
def test_messages_pass_through_every_pair_at_once(seed: int, fabric: Enclave) -> None:
    pass_through_every_pair(fabric, 1500, seed, 120)


@pytest.mark.soak
def test_a_million_messages_pass_through_every_pair_at_once(fabric: Enclave) -> None:
    pass_through_every_pair(fabric, 250_000, 2, 3000)
