# SPDX-License-Identifier: Apache-2.0
"""Random nodes and partitions: QEMU takes every command line, and has made of it what the plan says.

A few in `make test`, others with NODES_SEED=N; many in `make soak`.
"""

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, seed, settings

from orchestrator.lwk import ensure_lwk
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from tests.e2e.conftest import NODES_SEED
from tests.e2e.lone_machine import Cpu, Seen, read_back
from tests.unit.any_spec import specs

MIB = 1 << 20

# Not shrunk: each try starts QEMUs.
STARTS_QEMU = settings(
    database=None,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


@pytest.fixture(scope="module", autouse=True)
def lwk() -> None:
    """Any kernel will do: none is let run."""
    ensure_lwk(lambda what: None)


def check(spec: Spec) -> None:
    plan = resolve(spec, Path("any.yaml"))
    with tempfile.TemporaryDirectory() as folder:
        found = read_back(plan, Path(folder))
    for partition in plan.partitions:
        windows = {f"window{i}": window.size_bytes for i, window in enumerate(partition.windows)}
        memory = {f"ram{i}": chunk.size_bytes for i, chunk in enumerate(partition.memory)}
        assert found[partition.name] == Seen(
            sorted(Cpu(cpu.at, cpu.apic_id, cpu.local_numa) for cpu in partition.cpus),
            memory | windows,
            {numa.local_id: numa.size_bytes // MIB for numa in partition.numa},
        )


@seed(NODES_SEED)
@settings(STARTS_QEMU, max_examples=8)
@given(specs())
def test_qemu_makes_of_random_specs_what_their_plans_say(spec: Spec) -> None:
    check(spec)


@pytest.mark.soak
@seed(NODES_SEED + 1)
@settings(STARTS_QEMU, max_examples=150)
@given(specs())
def test_qemu_makes_of_many_random_specs_what_their_plans_say(spec: Spec) -> None:
    check(spec)
