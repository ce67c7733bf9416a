# SPDX-License-Identifier: Apache-2.0
"""APIC ids beyond 8 bits: refused under TCG, with the reason; under KVM the LWK starts such CPUs."""

from pathlib import Path

import pytest

from orchestrator.accelerator import try_accelerators
from orchestrator.lwk import ensure_lwk
from orchestrator.planning import load_plan
from orchestrator.qemu import find_qemu
from orchestrator.topology import PLACES_MAX
from tests.e2e.conftest import HERE, CommandLine
from tests.e2e.lone_machine import self_tested

SPEC = HERE / "specs" / "x2apic.yaml"


def test_tcg_is_refused_with_the_reason(command: CommandLine) -> None:
    for verb in ("up", "plan"):
        done = command(verb, SPEC, "--accel", "tcg")
        assert done.returncode == 2
        assert (
            b"lwk0: 25 CPUs laid out like this need APIC ids up to 272, and TCG's end at 254" in done.stderr
        )
        assert b"--accel kvm" in done.stderr


@pytest.fixture
def kvm() -> str:
    if not next(each for each in try_accelerators(find_qemu()) if each.accelerator == "kvm").passed:
        pytest.skip("no KVM that works here")
    ensure_lwk(lambda what: None)
    return "kvm"


def test_lwk_takes_interrupts_on_a_cpu_with_a_large_apic_id(kvm: str, tmp_path: Path) -> None:
    """Its channels are served on the CPU with APIC id 256, and their doorbells are rung."""
    plan = load_plan(SPEC)
    assert [cpu.apic_id for cpu in plan.partitions[1].cpus][-1] == 256
    told = self_tested(plan, "lwk0", kvm, tmp_path)
    assert "QEMU exited with status 33" in told
    assert "apic: x2APIC" in told
    assert "smp: 25 of 25 CPUs online" in told
    assert "channels are served on CPUs 24, 24, 24, 24" in told
    for name in ("traps", "smp", "timer", "interrupt"):
        assert f"selftest: {name}: PASS" in told


@pytest.mark.soak
def test_lwk_runs_on_as_many_cpus_as_qemu_has_places_for(kvm: str, tmp_path: Path) -> None:
    spec = tmp_path / "many.yaml"
    spec.write_text(f"""
name: many
node:
  cpus: {{sockets: 1, cores: {PLACES_MAX // 2 + 1}, threads: 2}}
  numa:
    - {{cpus: 0-{PLACES_MAX + 1}, memory: 2G}}
partitions:
  host: {{kernel: linux, cpus: 0, memory: {{0: 512M}}}}
  lwk0: {{kernel: lwk, cpus: 2-{PLACES_MAX + 1}, memory: {{0: 1G}}, cmdline: "selftest=smp,interrupt"}}
""")
    told = self_tested(load_plan(spec), "lwk0", kvm, tmp_path)
    assert "QEMU exited with status 33" in told
    assert f"smp: {PLACES_MAX} of {PLACES_MAX} CPUs online" in told
