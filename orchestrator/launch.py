# SPDX-License-Identifier: Apache-2.0
"""From a plan to a running enclave: the steps of `up`, for the command line and for the pytest plugin."""

from collections.abc import Callable, Collection
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from orchestrator import tsc
from orchestrator.accelerator import accelerator_of, choose_accelerator
from orchestrator.crash_folder import bundles_of
from orchestrator.errors import EnclaveError
from orchestrator.host_image import HostImage
from orchestrator.ikc_layout import ensure_layout
from orchestrator.images import ensure_host_image
from orchestrator.kinds import KernelKind
from orchestrator.launch_options import LaunchOptions
from orchestrator.lwk import BUILD, LWK, ensure_lwk
from orchestrator.plan import Plan
from orchestrator.planning import find_placement, require_partitions
from orchestrator.qemu import find_qemu
from orchestrator.room import require_room
from orchestrator.run import RunFolder
from orchestrator.standby import Standby


class Teller(Protocol):
    """Hears of each step as it is taken, and then of what happens in the enclave (events.py)."""

    def step(self, name: str, what: str) -> None: ...
    def event(self, event: dict[str, Any]) -> None: ...


def launch(
    standby: Standby,
    plan: Plan,
    run: RunFolder,
    asked: str,
    teller: Teller,
    interpose: bool = False,
    wait_gdb: Collection[str] = (),
) -> dict[str, Any]:
    """Builds what is missing, boots the enclave, and returns its status when all partitions are READY.

    `asked` is the accelerator: kvm, tcg or auto; `interpose` allows faults of doorbells; the partitions
    `wait_gdb` stop before their first instruction, and are not waited for. Whatever goes wrong, or interrupts
    it, nothing of the enclave is left but the logs in its run folder.
    """
    require_partitions(plan, wait_gdb)
    asked = accelerator_of(plan, asked)
    measurement = tsc.measure()
    qemu = find_qemu()
    layout = ensure_layout(BUILD)
    require_room(plan, layout)
    ensure_lwk(partial(teller.step, "build"))
    placement = find_placement(plan)
    images = _ensure_images(plan, partial(teller.step, "image"))
    verdict = choose_accelerator(asked, qemu)
    teller.step("accel", f"{verdict.accelerator} ({verdict.reason})")
    tsc_khz = measurement.khz() if measurement and verdict.accelerator == "tcg" else 0
    options = LaunchOptions(
        verdict.accelerator, layout, images, LWK, tsc_khz, interpose, placement, tuple(wait_gdb)
    )
    client = standby.start(run, plan, options)
    try:
        return client.wait(teller.event)
    except BaseException as error:
        # Also when interrupted: the reason to stop counts, not how well that goes.
        with suppress(EnclaveError):
            client.down()
        if isinstance(error, EnclaveError):
            # Its own hint is for an enclave that still runs.
            story = f"`enclave crash {run.name}` tells the story\n" if bundles_of(run) else ""
            raise type(error)(
                error.message, f"{story}everything was taken down; the logs are in {run.path}"
            ) from error
        raise


def _ensure_images(plan: Plan, progress: Callable[[str], None]) -> dict[KernelKind, HostImage]:
    """The image of each kind of Linux that runs here, with all that any partition asks for."""
    packages = {package for each in plan.partitions for package in each.packages}
    files = {file.guest_path: file.local_path for each in plan.partitions for file in each.files}
    kinds = {each.kind for each in plan.partitions if each.kind.runs_linux}
    return {kind: ensure_host_image(BUILD, kind, sorted(packages), files, progress) for kind in sorted(kinds)}
