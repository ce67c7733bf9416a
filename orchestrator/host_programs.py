# SPDX-License-Identifier: Apache-2.0
"""What `guest-kernels/linux` makes for the host, a kernel module and tools: built when the sources change."""

import hashlib
import os
import shlex
import subprocess
from pathlib import Path

from orchestrator import debian
from orchestrator.errors import EnvironmentFault
from orchestrator.host_kernel import HostKernel

_ROOT = Path(__file__).resolve().parent.parent / "guest-kernels"
_SOURCES = ("ikc", "linux")


def ensure_host_programs(build: Path, kernel: HostKernel, progress: debian.Progress) -> Path:
    """The folder whose files `*.ko` and programs belong into the host's image.

    Raises EnvironmentFault with the compiler's words if they do not build.
    """
    out = build / "linux" / kernel.release
    stamp = out / ".built-from"
    key = _content_key(kernel)
    if not stamp.exists() or stamp.read_text() != key:
        progress("building the host's kernel module and tools")
        out.mkdir(parents=True, exist_ok=True)
        stamp.unlink(missing_ok=True)
        _make(out, kernel)
        stamp.write_text(key)
    return out


def module_with_lines(build: Path, release: str) -> Path:
    """ikc.ko with its debug information, as it was built for that kernel."""
    return build / "linux" / release / "tree" / "module" / "ikc.ko"


def _make(out: Path, kernel: HostKernel) -> None:
    variables = [f"KDIR={kernel.headers.absolute()}", f"OUT={out.absolute()}"]
    command = ["make", "--silent", "--no-print-directory", "-C", os.fspath(_ROOT / "linux"), *variables]
    # A make that started us must not hand its flags and its job server on.
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    try:
        done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        raise EnvironmentFault("make is not on this computer", "sudo apt-get install make gcc") from None
    if done.returncode:
        raise EnvironmentFault(
            f"guest-kernels/linux does not build:\n{done.stderr.strip()}", f"all of it: {shlex.join(command)}"
        )


def _content_key(kernel: HostKernel) -> str:
    digest = hashlib.sha256(f"{kernel.release} {kernel.package_version}".encode())
    for folder in _SOURCES:
        for path in sorted((_ROOT / folder).rglob("*")):
            if path.is_file():
                content = path.read_bytes()
                digest.update(f"\n{path.relative_to(_ROOT)} {len(content)}\n".encode() + content)
    return digest.hexdigest()
