# SPDX-License-Identifier: Apache-2.0
"""What this computer has of what an enclave needs: each finding with what to do about it.

Accelerators are tried, not looked up (trial_run.py); the rest is asked of QEMU and of the kernel.
"""

import os
import resource
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from orchestrator import accelerator, room, source_kernel
from orchestrator.errors import EnclaveError
from orchestrator.lwk import BUILD
from orchestrator.qemu import find_qemu, inspect_qemu
from orchestrator.quantities import MIB
from orchestrator.run import RunFolder

TOOLS = ("gcc", "musl-gcc", "ld", "nm", "make", "lz4", "setpriv", "apt-get", "dpkg-deb")
TOOL_PACKAGES = "sudo apt-get install gcc libc6-dev musl-tools binutils make lz4 util-linux"
MEMORY_WANTED = 1536 * MIB  # specs/duo.yaml, and what its QEMUs take beside
FILES_WANTED = 1024
SHMEM_HUGEPAGES = Path("/sys/kernel/mm/transparent_hugepage/shmem_enabled")


class Level(StrEnum):
    OK = "ok"
    NOTE = "note"  # works, and could be better
    FAULT = "fault"  # no enclave runs here before this is cured


@dataclass(frozen=True, slots=True)
class Finding:
    subject: str
    level: Level
    found: str
    cure: str = ""


def examine() -> Iterator[Finding]:
    """Findings as they are made; trying the accelerators takes seconds unless it was done before."""
    checks: dict[str, Callable[[], Iterator[Finding]]] = {
        "qemu": _qemu,
        "accelerator": _accelerators,
        "memory": _memory,
        "hugepages": _hugepages,
        "open files": _files,
        "run folder": _run_folder,
        "tools": _tools,
        "kernel: source": _source_kernel,
    }
    for subject, check in checks.items():
        try:
            yield from check()
        except EnclaveError as error:
            yield Finding(subject, Level.FAULT, error.message, error.hint)


def _qemu() -> Iterator[Finding]:
    qemu = inspect_qemu(find_qemu())
    told = f"{qemu.path}, version {qemu.version_text}"
    problems = qemu.problems()
    if problems:
        yield Finding("qemu", Level.FAULT, f"{told}: {'; '.join(problems)}", "install QEMU 7.2 or newer")
    else:
        yield Finding("qemu", Level.OK, f"{told}, has every device and firmware that an enclave needs")


def _accelerators() -> Iterator[Finding]:
    trials = accelerator.try_accelerators(find_qemu())
    for trial in trials:
        level = Level.OK if trial.passed else Level.NOTE
        took = f" ({trial.seconds:.2f} s)" if trial.passed else ""
        cure = "" if trial.passed else accelerator.cure(trial)
        yield Finding(trial.accelerator, level, trial.finding + took, cure)
    chosen = accelerator.decide(trials)
    yield Finding("accelerator", Level.OK, f"{chosen.accelerator} is used unless --accel says otherwise")


def _memory() -> Iterator[Finding]:
    available = room.available_memory()
    told = f"{available // MIB} MiB are available to this process"
    if available < MEMORY_WANTED:
        wanted = (
            f"duo takes about {MEMORY_WANTED // MIB} MiB: end something, or raise the limit of the container"
        )
        yield Finding("memory", Level.NOTE, told, wanted)
    else:
        yield Finding("memory", Level.OK, told)


def _hugepages() -> Iterator[Finding]:
    try:
        modes = SHMEM_HUGEPAGES.read_text().split()
    except OSError:
        yield Finding("hugepages", Level.NOTE, "this kernel has no transparent hugepages for shared memory")
        return
    chosen = next((mode.strip("[]") for mode in modes if mode.startswith("[")), "unknown")
    told = f"for shared memory: {chosen}"
    if chosen in ("always", "within_size", "force"):
        yield Finding("hugepages", Level.OK, told)
    else:
        cure = f"with KVM, guests run faster after: echo within_size | sudo tee {SHMEM_HUGEPAGES}"
        yield Finding("hugepages", Level.NOTE, told, cure)


def _files() -> Iterator[Finding]:
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    unlimited = hard == resource.RLIM_INFINITY
    told = f"at most {'any number' if unlimited else hard} may be open"
    if not unlimited and hard < FILES_WANTED:
        yield Finding(
            "open files", Level.NOTE, told, f"large enclaves need more: ulimit -Hn {FILES_WANTED}, as root"
        )
    else:
        yield Finding("open files", Level.OK, told)


def _run_folder() -> Iterator[Finding]:
    run = RunFolder("x" * 16)
    run.check_socket_paths(("x" * 31,))
    parent = next(path for path in run.path.parents if path.exists())
    if os.access(parent, os.W_OK):
        yield Finding("run folder", Level.OK, str(run.runtime))
    else:
        yield Finding(
            "run folder", Level.FAULT, f"you may not write to {parent}", "set ENCLAVE_RUNTIME_DIR to your own"
        )


def _tools() -> Iterator[Finding]:
    missing = [tool for tool in TOOLS if shutil.which(tool) is None]
    if missing:
        yield Finding("tools", Level.FAULT, f"missing: {', '.join(missing)}", TOOL_PACKAGES)
    else:
        yield Finding("tools", Level.OK, ", ".join(TOOLS))


def _source_kernel() -> Iterator[Finding]:
    """Only a spec that asks for it needs it."""
    subject = "kernel: source"
    built = source_kernel.built(BUILD)
    missing = source_kernel.missing_tools()
    if built:
        yield Finding(subject, Level.OK, f"Linux {', '.join(built)} is built")
    elif missing:
        told = f"cannot be built here: {', '.join(missing)} missing"
        yield Finding(subject, Level.NOTE, told, source_kernel.INSTALL)
    else:
        yield Finding(subject, Level.OK, "can be built: the first `up` that needs it takes some minutes more")
