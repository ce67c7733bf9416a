# SPDX-License-Identifier: Apache-2.0
from collections.abc import Sequence
from pathlib import Path

import pytest

from orchestrator import accelerator, trial_run
from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.plan import Plan
from orchestrator.resolve import resolve
from orchestrator.spec import Spec
from orchestrator.trial import Trial

KVM = Trial("kvm", True, 0.2, "good")
TCG = Trial("tcg", True, 0.3, "good")
KVM_BROKEN = Trial("kvm", False, 2.5, "no verdict after 2.5 s; the guest printed nothing")
TCG_BROKEN = Trial("tcg", False, 0.1, "selftest atomics-shared: FAIL lost 3 updates")


def test_kvm_that_passes_is_chosen() -> None:
    assert accelerator.decide((KVM, TCG)).accelerator == "kvm"


def test_kvm_that_prints_nothing_is_not_chosen_and_the_reason_says_so() -> None:
    verdict = accelerator.decide((KVM_BROKEN, TCG))
    assert verdict.accelerator == "tcg"
    assert "printed nothing" in verdict.reason


def test_kvm_much_slower_than_emulation_is_not_chosen() -> None:
    verdict = accelerator.decide((Trial("kvm", True, 2.0, "good"), TCG))
    assert verdict.accelerator == "tcg"
    assert "7 times slower" in verdict.reason


def test_nothing_that_works_is_an_environment_fault_with_both_findings() -> None:
    with pytest.raises(EnvironmentFault, match=r"(?s)printed nothing.*lost 3 updates"):
        accelerator.decide((KVM_BROKEN, TCG_BROKEN))


class Trials:
    """Stands for the real trials; counts how often they are run."""

    def __init__(self, *outcome: Trial) -> None:
        self.outcome = outcome
        self.runs = 0

    def __call__(self, qemu: Path, names: Sequence[str]) -> tuple[Trial, ...]:
        self.runs += 1
        return tuple(trial for trial in self.outcome if trial.accelerator in names)


@pytest.fixture
def qemu(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(accelerator, "KVM_DEVICE", tmp_path / "kvm")
    (tmp_path / "kvm").touch()
    (tmp_path / "qemu").write_text("one")
    return tmp_path / "qemu"


def choose(asked: str, qemu: Path, monkeypatch: pytest.MonkeyPatch, trials: Trials) -> accelerator.Verdict:
    monkeypatch.setattr(trial_run, "run_trials", trials)
    return accelerator.choose_accelerator(asked, qemu)


def test_verdict_is_remembered_until_qemu_changes(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(KVM_BROKEN, TCG)
    first = choose("auto", qemu, monkeypatch, trials)
    assert choose("auto", qemu, monkeypatch, trials) == first
    assert trials.runs == 1
    qemu.write_text("another version")
    choose("auto", qemu, monkeypatch, trials)
    assert trials.runs == 2


def test_failure_of_everything_is_tried_again(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(KVM_BROKEN, TCG_BROKEN)
    for _ in range(2):
        with pytest.raises(EnvironmentFault):
            choose("auto", qemu, monkeypatch, trials)
    assert trials.runs == 2


def test_damaged_memory_of_a_verdict_is_ignored(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    cache = qemu.parent / "cache" / "enclave" / "accelerator.json"
    cache.parent.mkdir(parents=True)
    for damaged in ("", "[]", '{"key": 1}', "\x00"):
        cache.write_text(damaged)
        assert choose("auto", qemu, monkeypatch, Trials(KVM, TCG)).accelerator == "kvm"


def test_tcg_asked_for_needs_no_trial(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    trials = Trials(KVM, TCG)
    assert choose("tcg", qemu, monkeypatch, trials).accelerator == "tcg"
    assert trials.runs == 0


def test_kvm_asked_for_but_useless_is_refused_with_the_reason(
    qemu: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(EnvironmentFault, match=r"KVM cannot be used.*printed nothing") as caught:
        choose("kvm", qemu, monkeypatch, Trials(KVM_BROKEN, TCG))
    assert "--accel tcg" in caught.value.hint


def test_kvm_without_its_device_is_not_tried(qemu: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (qemu.parent / "kvm").unlink()
    verdict = choose("auto", qemu, monkeypatch, Trials(KVM, TCG))
    assert verdict.accelerator == "tcg"
    assert "there is no" in verdict.reason


# ---- APIC ids of more than 8 bits ----


def plan_of_cpus(cores: int) -> Plan:
    cpus = f"0-{2 * cores - 1}"
    spec = {
        "name": "some",
        "node": {"cpus": {"sockets": 2, "cores": cores}, "numa": [{"cpus": cpus, "memory": "1G"}]},
        "partitions": {"host": {"kernel": "linux", "cpus": cpus, "memory": {0: "512M"}}},
    }
    return resolve(Spec.model_validate(spec), Path("some.yaml"))


@pytest.mark.parametrize("asked", ["auto", "kvm", "tcg"])
def test_what_was_asked_for_stands_where_8_bits_do(asked: str) -> None:
    assert accelerator.accelerator_of(plan_of_cpus(127), asked) == asked


def test_more_than_8_bits_are_for_kvm() -> None:
    plan = plan_of_cpus(129)
    assert accelerator.accelerator_of(plan, "auto") == "kvm"
    assert accelerator.accelerator_of(plan, "kvm") == "kvm"
    with pytest.raises(UsageError, match="host: 258 CPUs laid out like this need APIC ids up to 384"):
        accelerator.accelerator_of(plan, "tcg")
