# SPDX-License-Identifier: Apache-2.0
"""Builds what is in guest-kernels/ by its Makefiles, when its sources have changed since the last time.

Asking make itself would cost each `up` a second, most of it the Linux module's Kbuild.
"""

import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from orchestrator.errors import EnclaveError, EnvironmentFault

if TYPE_CHECKING:
    from orchestrator.host_kernel import HostKernel

ROOT = Path(__file__).parents[1]
SOURCES = ROOT / "guest-kernels"
BUILD = ROOT / "build"
LWK = BUILD / "lwk" / "lwk.elf"
OUTPUT_SHOWN = 20  # lines of a failed make

Progress = Callable[[str], None]


def ensure_lwk(progress: Progress) -> None:
    """Makes LWK if need be. Raises EnclaveError if it does not build, EnvironmentFault without make."""
    sources = _fingerprint("lwk", "ikc")
    stamp = LWK.parent / "made-from"
    if not _is_made(LWK, stamp, sources):
        progress("building the LWK")
        _make("lwk", f"OUT={LWK.parent}")
        stamp.write_text(sources)


def ensure_linux_side(kernel: "HostKernel", progress: Progress) -> None:
    """ikc.ko for exactly that kernel, and ikcctl, in `build/host-root`, which goes into every host image."""
    root = BUILD / "host-root"
    module = root / "lib" / "modules" / kernel.release / "ikc.ko"
    sources = f"{kernel.release} {kernel.package_version} {_fingerprint('linux', 'ikc')}"
    out = BUILD / "linux"
    stamp = out / "made-from"
    if _is_made(module, stamp, sources):
        return
    progress(f"building ikc.ko for Linux {kernel.release}, and ikcctl")
    _make("linux", f"OUT={out}", f"KDIR={kernel.headers}")
    shutil.rmtree(root, ignore_errors=True)
    _install(out / "ikc.ko", module)
    _install(out / "ikcctl", root / "usr" / "bin" / "ikcctl")
    stamp.write_text(sources)


def _make(folder: str, *arguments: str) -> None:
    command = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(SOURCES / folder), *arguments]
    try:
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
        )
    except FileNotFoundError:
        raise EnvironmentFault("make is not installed", "sudo apt-get install make gcc binutils") from None
    if done.returncode != 0:
        said = "\n".join(done.stdout.splitlines()[-OUTPUT_SHOWN:])
        raise EnclaveError(
            f"guest-kernels/{folder} does not build:\n{said}", f"all of it: {' '.join(command)}"
        )


def _install(made: Path, place: Path) -> None:
    place.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(made, place)
    place.chmod(made.stat().st_mode)


def _fingerprint(*folders: str) -> str:
    """Changes when any file does, by name, size or time."""
    digest = hashlib.sha256()
    for folder in folders:
        for place, subfolders, names in os.walk(SOURCES / folder):
            subfolders.sort()
            for name in sorted(names):
                info = os.stat(os.path.join(place, name))
                digest.update(f"{place}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()


def _is_made(made: Path, stamp: Path, sources: str) -> bool:
    try:
        return made.exists() and stamp.read_text() == sources
    except OSError:
        return False
