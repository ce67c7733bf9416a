# SPDX-License-Identifier: Apache-2.0
"""Chooses between KVM and TCG by what they do, not by what the computer claims to have.

The verdict is about the computer and its QEMU, and is kept until either changes or the computer is
booted again: $XDG_CACHE_HOME/enclave/accelerator.json.
"""

import json
import os
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from textwrap import shorten
from typing import NamedTuple

from orchestrator.errors import EnvironmentFault, UsageError
from orchestrator.plan import Plan
from orchestrator.topology import XAPIC_ID_MAX
from orchestrator.trial import Trial

ACCELERATORS = ("kvm", "tcg")
KVM_DEVICE = Path("/dev/kvm")
# KVM may work and still be emulation in disguise: nested, without hardware support.
KVM_SLOWNESS_MAX = 3.0
REASON_LENGTH = 80
_CACHE_FORMAT = 1


class Verdict(NamedTuple):
    """`accelerator` is the one to use, `reason` why, in one line; `trials` are empty when none was needed."""

    accelerator: str
    reason: str
    trials: tuple[Trial, ...] = ()


def choose_accelerator(asked: str, qemu: Path) -> Verdict:
    """The accelerator for a run. `asked` is kvm, tcg or auto.

    Raises EnvironmentFault if KVM was asked for and does not work here, or if nothing works.
    """
    return Verdict("tcg", "asked for") if asked == "tcg" else _chosen(asked, try_accelerators(qemu))


def foreseen_accelerator(asked: str, qemu: Path) -> Verdict | None:
    """What `choose_accelerator` will say, or raise; None if that will take a trial."""
    if asked == "tcg":
        return Verdict("tcg", "asked for")
    trials = _recall(_machine_key(qemu))
    return _chosen(asked, trials) if trials else None


def _chosen(asked: str, trials: tuple[Trial, ...]) -> Verdict:
    if asked == "kvm":
        kvm = _of("kvm", trials)
        if kvm.passed:
            return Verdict("kvm", "asked for", trials)
        raise EnvironmentFault(
            f"KVM cannot be used on this computer: {kvm.finding}",
            f"{cure(kvm)}; --accel tcg works without it",
        )
    return decide(trials)


def accelerator_of(plan: Plan, asked: str) -> str:
    """What to ask for instead of `asked` if some partition needs more than TCG has. Raises UsageError."""
    large = next((each for each in plan.partitions if each.needs_x2apic), None)
    if large is None:
        return asked
    if asked == "tcg":
        last = large.smp.shape.apic_id_max
        raise UsageError(
            f"{large.name}: {len(large.cpus)} CPUs laid out like this need APIC ids up to {last}, "
            f"and TCG's end at {XAPIC_ID_MAX}",
            "--accel kvm has more; or give the partition fewer CPUs, or CPUs of fewer sockets",
        )
    return "kvm"


def decide(trials: tuple[Trial, ...]) -> Verdict:
    """KVM if it passed and is no slower than emulation by far, else TCG. Raises EnvironmentFault."""
    kvm, tcg = _of("kvm", trials), _of("tcg", trials)
    if kvm.passed and (not tcg.passed or kvm.seconds <= KVM_SLOWNESS_MAX * tcg.seconds):
        return Verdict("kvm", f"kvm: {kvm.finding}", trials)
    if kvm.passed:
        slowness = kvm.seconds / tcg.seconds
        return Verdict("tcg", f"kvm works, but {slowness:.0f} times slower than emulation", trials)
    if tcg.passed:
        return Verdict("tcg", shorten(f"kvm: {kvm.finding}", REASON_LENGTH, placeholder=" ..."), trials)
    raise EnvironmentFault(
        f"no accelerator works on this computer\nkvm: {kvm.finding}\ntcg: {tcg.finding}",
        "the trial boots guest-kernels/lwk; if you are changing that, --accel tcg goes without a trial",
    )


def try_accelerators(qemu: Path) -> tuple[Trial, ...]:
    """A trial of each accelerator; those of an earlier call while nothing has changed."""
    key = _machine_key(qemu)
    trials = _recall(key)
    if trials is None:
        trials = _run(qemu)
        # A kernel that never passes says nothing about the computer.
        if any(trial.passed for trial in trials):
            _remember(key, trials)
    return trials


def _run(qemu: Path) -> tuple[Trial, ...]:
    # Imported here: it is needed once for each boot of the computer.
    from orchestrator.trial_run import run_trials

    if os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return run_trials(qemu, ACCELERATORS)
    finding = f"you may not open {KVM_DEVICE}" if KVM_DEVICE.exists() else f"there is no {KVM_DEVICE}"
    return (Trial("kvm", False, 0.0, finding), *run_trials(qemu, ("tcg",)))


def _of(name: str, trials: Iterable[Trial]) -> Trial:
    return next(trial for trial in trials if trial.accelerator == name)


def cure(trial: Trial) -> str:
    """What to do about an accelerator that did not pass."""
    if trial.accelerator == "tcg":
        return "the trial boots guest-kernels/lwk: is that kernel sound?"
    if not KVM_DEVICE.exists():
        return "load the kernel module kvm_intel or kvm_amd, or allow nested virtualisation"
    if not os.access(KVM_DEVICE, os.R_OK | os.W_OK):
        return "join the group that owns it: usermod -aG kvm $USER, then log in again"
    return (
        "nothing, if this computer is itself a virtual machine: such a KVM may open and yet not run a guest"
    )


def _machine_key(qemu: Path) -> str:
    boot = Path("/proc/sys/kernel/random/boot_id").read_text().strip()
    binary = qemu.resolve().stat()
    may_open = os.access(KVM_DEVICE, os.R_OK | os.W_OK)
    return f"{_CACHE_FORMAT} {boot} {qemu.resolve()} {binary.st_size} {binary.st_mtime_ns} {may_open}"


def _cache_file() -> Path:
    cache = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(cache) / "enclave" / "accelerator.json"


def _recall(key: str) -> tuple[Trial, ...] | None:
    try:
        kept = json.loads(_cache_file().read_text())
        return tuple(Trial(**trial) for trial in kept["trials"]) if kept["key"] == key else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def _remember(key: str, trials: Iterable[Trial]) -> None:
    """Without a place to keep it, the next call tries again."""
    file = _cache_file()
    with suppress(OSError):
        file.parent.mkdir(parents=True, exist_ok=True)
        fresh = file.with_name(f"{file.name}.{os.getpid()}")
        fresh.write_text(json.dumps({"key": key, "trials": [trial._asdict() for trial in trials]}))
        fresh.replace(file)
