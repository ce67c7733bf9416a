# SPDX-License-Identifier: Apache-2.0
"""The LWK's ELF file, made by guest-kernels/lwk/Makefile when its sources have changed since."""

import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import EnclaveError, EnvironmentFault

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
LWK = BUILD / "lwk" / "lwk.elf"

_SOURCES = (ROOT / "guest-kernels" / "lwk", ROOT / "guest-kernels" / "ikc")
_STAMP = LWK.parent / "made-from"
_OUTPUT_SHOWN = 20  # lines of a failed make


def ensure_lwk(progress: Callable[[str], None]) -> None:
    """Makes LWK if need be. Raises EnclaveError if it does not build, EnvironmentFault without make."""
    sources = _fingerprint()
    try:
        if LWK.exists() and _STAMP.read_text() == sources:
            return
    except FileNotFoundError:
        pass
    progress("building the LWK")
    _make()
    _STAMP.write_text(sources)


def _make() -> None:
    command = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(_SOURCES[0]), f"OUT={LWK.parent}"]
    # A make that started us must not hand its flags and its job server on.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentFault("make is not installed", "sudo apt-get install make gcc binutils") from None
    if done.returncode != 0:
        said = "\n".join(done.stderr.splitlines()[-_OUTPUT_SHOWN:])
        raise EnclaveError(f"the LWK does not build:\n{said}", f"all of it: {' '.join(command)}")


def _fingerprint() -> str:
    """Changes when any file does, by name, size or time: make itself, asked at each `up`, would cost more."""
    digest = hashlib.sha256()
    for source in _SOURCES:
        for folder, subfolders, names in os.walk(source):
            subfolders.sort()
            for name in sorted(names):
                info = os.stat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()
