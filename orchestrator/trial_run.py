# SPDX-License-Identifier: Apache-2.0
"""Tries an accelerator: two tiny guests of ours on one shared region, with a verdict of their own.

Each guest is the LWK on one CPU. It takes interrupts, and updates words of the region with locked
instructions while the other one does the same; then it ends its QEMU by isa-debug-exit. So neither
silence nor a mere exit can pass for success.
"""

import asyncio
import time
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from orchestrator.fabric import Fabric
from orchestrator.ikc import Identity
from orchestrator.ikc_layout import Layout, ensure_layout
from orchestrator.lwk import BUILD, LWK, ensure_lwk
from orchestrator.machine import DIE_WITH_PARENT
from orchestrator.qemu_command import VECTORS, accelerator_args
from orchestrator.trial import Trial

GUESTS = 2
# KVM that works needs a fifth of this; TCG on a loaded machine must not be taken for broken.
PATIENCE_S = {"kvm": 2.5, "tcg": 30.0}
PASSED = 33  # isa-debug-exit: 2 * 16 + 1
FAILED = 35


@dataclass(frozen=True, slots=True)
class _Ending:
    """How one QEMU ended; `status` None: it had to be killed at the deadline."""

    status: int | None
    console: str
    complaints: str


def run_trials(qemu: Path, accelerators: Sequence[str]) -> tuple[Trial, ...]:
    """Tries all of them at once, each within its patience; nothing of them is left."""
    ensure_lwk(lambda what: None)
    layout = ensure_layout(BUILD)
    return asyncio.run(_run_trials(qemu, layout, accelerators))


async def _run_trials(qemu: Path, layout: Layout, accelerators: Sequence[str]) -> tuple[Trial, ...]:
    return tuple(await asyncio.gather(*(_try(qemu, layout, name) for name in accelerators)))


async def _try(qemu: Path, layout: Layout, accelerator: str) -> Trial:
    identities = [Identity(f"trial{index}", "LWK", False, 1, ()) for index in range(GUESTS)]
    begin = time.monotonic()
    deadline = asyncio.get_running_loop().time() + PATIENCE_S[accelerator]
    with Fabric(layout, identities, {}) as fabric:
        for index in range(GUESTS):
            fabric.region.begin_life(index)
        endings = await asyncio.gather(
            *(_guest(qemu, accelerator, fabric, index, deadline) for index in range(GUESTS))
        )
    worst = next((ending for ending in endings if ending.status != PASSED), endings[0])
    return Trial(
        accelerator,
        worst.status == PASSED,
        time.monotonic() - begin,
        _in_words(worst, PATIENCE_S[accelerator]),
    )


async def _guest(qemu: Path, accelerator: str, fabric: Fabric, index: int, deadline: float) -> _Ending:
    connection = fabric.connect(index)
    try:
        process = await asyncio.create_subprocess_exec(
            *_command(qemu, accelerator, connection.fileno()),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
            pass_fds=[connection.fileno()],
        )
    finally:
        connection.close()
    return await _ending(process, deadline)


async def _ending(process: asyncio.subprocess.Process, deadline: float) -> _Ending:
    assert process.stdout
    assert process.stderr
    console = asyncio.ensure_future(process.stdout.read())
    complaints = asyncio.ensure_future(process.stderr.read())
    status: int | None = None
    try:
        async with asyncio.timeout_at(deadline):
            status = await process.wait()
    except TimeoutError:
        pass
    finally:
        with suppress(ProcessLookupError):
            process.kill()
        await process.wait()
    return _Ending(
        status, (await console).decode(errors="replace"), (await complaints).decode(errors="replace")
    )


def _command(qemu: Path, accelerator: str, connection: int) -> list[str]:
    return [
        *DIE_WITH_PARENT,
        str(qemu),
        "-nodefaults",
        "-no-user-config",
        *("-display", "none"),
        *("-machine", "q35"),
        *accelerator_args(accelerator),
        *("-smp", "1,maxcpus=2"),  # with maxcpus=1 TCG's locked updates are not atomic across machines
        *("-m", "64M"),
        *("-bios", "qboot.rom"),
        *("-kernel", str(LWK)),
        *("-append", "selftest=interrupt,atomics-shared"),
        *("-serial", "stdio"),
        *("-no-reboot", "-device", "isa-debug-exit,iobase=0xf4,iosize=4"),
        *("-chardev", f"socket,id=fabric,fd={connection}"),
        *("-device", f"ivshmem-doorbell,chardev=fabric,vectors={VECTORS}"),
    ]


def _in_words(ending: _Ending, patience_s: float) -> str:
    match ending.status:
        case 33:
            return "a guest took interrupts; locked updates shared by two machines lost nothing"
        case 35:
            failures = [line.strip() for line in ending.console.splitlines() if "FAIL" in line]
            return failures[0] if failures else "a guest found a fault and did not say which"
        case None:
            return f"no verdict after {patience_s:g} s; the guest {_last_words(ending.console)}"
        case status:
            said = ending.complaints.strip().splitlines()
            ended = f"was killed by signal {-status}" if status < 0 else f"ended with status {status}"
            return f"QEMU {ended}: {said[-1] if said else 'it said nothing'}"


def _last_words(console: str) -> str:
    lines = [line.strip() for line in console.splitlines() if line.strip()]
    return f"printed last: {lines[-1]}" if lines else "printed nothing"
