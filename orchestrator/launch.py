# SPDX-License-Identifier: Apache-2.0
"""From a plan to a running enclave: the steps of `up`, for the command line and for the pytest plugin."""

from collections.abc import Callable
from contextlib import suppress
from functools import partial
from typing import Any, Protocol

from orchestrator import tsc
from orchestrator.accelerator import choose_accelerator
from orchestrator.errors import EnclaveError
from orchestrator.host_image import HostImage
from orchestrator.ikc_layout import ensure_layout
from orchestrator.images import ensure_host_image
from orchestrator.launch_options import LaunchOptions
from orchestrator.lwk import BUILD, LWK, ensure_lwk
from orchestrator.plan import Plan
from orchestrator.qemu import find_qemu
from orchestrator.room import require_room
from orchestrator.run import RunFolder
from orchestrator.standby import Standby


class Teller(Protocol):
    """Hears of each step as it is taken, and then of what happens in the enclave (events.py)."""

    def step(self, name: str, what: str) -> None: ...
    def event(self, event: dict[str, Any]) -> None: ...


def launch(standby: Standby, plan: Plan, run: RunFolder, asked: str, teller: Teller) -> dict[str, Any]:
    """Builds what is missing, boots the enclave, and returns its status when all partitions are READY.

    `asked` is the accelerator: kvm, tcg or auto. Whatever goes wrong, or interrupts it, nothing of the
    enclave is left but the logs in its run folder.
    """
    measurement = tsc.measure()
    qemu = find_qemu()
    layout = ensure_layout(BUILD)
    require_room(plan, layout)
    ensure_lwk(partial(teller.step, "build"))
    image = _ensure_image(plan, partial(teller.step, "image"))
    verdict = choose_accelerator(asked, qemu)
    teller.step("accel", f"{verdict.accelerator} ({verdict.reason})")
    tsc_khz = measurement.khz() if measurement and verdict.accelerator == "tcg" else 0
    client = standby.start(run, plan, LaunchOptions(verdict.accelerator, layout, image, LWK, tsc_khz))
    try:
        return client.wait(teller.event)
    except BaseException as error:
        # Also when interrupted: the reason to stop counts, not how well that goes.
        with suppress(EnclaveError):
            client.down()
        if isinstance(error, EnclaveError):
            # Its own hint is for an enclave that still runs.
            raise type(error)(
                error.message, f"everything was taken down; the logs are in {run.path}"
            ) from error
        raise


def _ensure_image(plan: Plan, progress: Callable[[str], None]) -> HostImage:
    """The image of every Linux partition, with all that any of them asks for."""
    packages = {package for each in plan.partitions for package in each.packages}
    files = {file.guest_path: file.local_path for each in plan.partitions for file in each.files}
    return ensure_host_image(BUILD, sorted(packages), files, progress)
