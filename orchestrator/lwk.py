# SPDX-License-Identifier: Apache-2.0
"""The LWK's ELF file, made by guest-kernels/lwk/Makefile when its sources have changed since."""

import fcntl
import hashlib
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

from orchestrator.errors import EnclaveError, EnvironmentFault

ROOT = Path(__file__).parents[1]
BUILD = ROOT / "build"
LWK = BUILD / "lwk" / "lwk.elf"

SOURCES = (ROOT / "guest-kernels" / "lwk", ROOT / "guest-kernels" / "ikc")
OUTPUT_SHOWN = 20  # lines of a failed make


def ensure_lwk(progress: Callable[[str], None]) -> None:
    """Makes LWK if need be. Raises EnclaveError if it does not build, EnvironmentFault without make."""
    if lwk_is_current():
        return
    LWK.parent.mkdir(parents=True, exist_ok=True)
    with (LWK.parent / ".lock").open("w") as lock:
        # Another process may be making it at this moment.
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not lwk_is_current():
            progress("building the LWK")
            sources = _fingerprint()
            _make()
            _stamp().write_text(sources)


def lwk_is_current() -> bool:
    try:
        return LWK.exists() and _stamp().read_text() == _fingerprint()
    except FileNotFoundError:
        return False


def _stamp() -> Path:
    return LWK.parent / "made-from"


def _make() -> None:
    command = ["make", "-s", f"-j{os.cpu_count() or 1}", "-C", str(SOURCES[0]), f"OUT={LWK.parent}"]
    # A make that started us must not hand its flags and its job server on.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentFault("make is not installed", "sudo apt-get install make gcc binutils") from None
    if done.returncode != 0:
        said = "\n".join(done.stderr.splitlines()[-OUTPUT_SHOWN:])
        raise EnclaveError(f"the LWK does not build:\n{said}", f"all of it: {' '.join(command)}")


def _fingerprint() -> str:
    """Changes when any file does, by name, size or time: make itself, asked at each `up`, would cost more."""
    digest = hashlib.sha256()
    for source in SOURCES:
        for folder, subfolders, names in os.walk(source):
            subfolders.sort()
            for name in sorted(names):
                info = os.stat(os.path.join(folder, name))
                digest.update(f"{folder}/{name} {info.st_size} {info.st_mtime_ns}\n".encode())
    return digest.hexdigest()
