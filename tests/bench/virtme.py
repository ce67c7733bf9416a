# SPDX-License-Identifier: Apache-2.0
"""The baseline of another tool: virtme-ng from PyPI, running one command on one machine with Debian's kernel.

The kernel is Debian's general one: its cloud kernel has no 9p, by which virtme-ng shows the guest its files.
"""

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from orchestrator import debian
from orchestrator.errors import EnclaveError
from orchestrator.lwk import BUILD
from tests.bench import bare

DEADLINE_S = 300.0
_METAPACKAGE = "linux-image-amd64"
_UNPACKED = "unpacked"
_MARKER = "one-command-ran"


class Unavailable(Exception):
    """It cannot be had here; says why."""


class VirtmeNg(NamedTuple):
    """`path` is a PATH with its programs and a busybox; `scratch` is where it leaves temporary files when it
    is ended, which it is as soon as the command has run."""

    kernel: Path
    path: str
    scratch: Path

    def seconds_to_run_a_command(self, accelerator: str) -> float:
        command = ["env", f"PATH={self.path}", f"TMPDIR={self.scratch}"]
        command += ["vng", "--run", str(self.kernel), "--force-9p", "--verbose"]
        command += [] if accelerator == "kvm" else ["--disable-kvm"]
        command += ["--cpus", "2", "--memory", "512M", "--exec", f"echo {_MARKER}"]
        return bare.seconds_until(command, _MARKER.encode(), DEADLINE_S)


def prepare(folder: Path) -> VirtmeNg:
    """Installs it and its kernel in `folder`. Raises Unavailable."""
    _run(sys.executable, "-m", "venv", str(folder / "venv"))
    _run(str(folder / "venv" / "bin" / "pip"), "install", "--quiet", "virtme-ng")
    try:
        kernel = _unpack_kernel(folder)
    except EnclaveError as error:
        raise Unavailable(error.message) from error
    busyboxes = sorted((BUILD / "debian" / "unpacked").glob("busybox-static_*/bin"))
    programs = [folder / "venv" / "bin", *busyboxes, folder / _UNPACKED]
    return VirtmeNg(kernel, ":".join([*map(str, programs), os.environ["PATH"]]), folder)


def _unpack_kernel(folder: Path) -> Path:
    """With the programs for modules that virtme-ng runs, so that the computer need not have them."""
    pool = debian.Pool(folder / "debian")
    image = debian.show(pool, _METAPACKAGE)["Depends"].split()[0]
    packages = debian.select_exactly(pool, [image, "kmod"])
    debian.download(pool, packages, lambda _: None)
    for package in packages:
        debian.unpack_into(pool, package, folder / _UNPACKED)
    for program in ("depmod", "modprobe"):
        (folder / _UNPACKED / program).symlink_to("bin/kmod")  # the package's own links are absolute
    return folder / _UNPACKED / "boot" / image.replace("linux-image", "vmlinuz")


def _run(*command: str) -> None:
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise Unavailable((done.stderr.strip().splitlines() or [f"{command[0]} failed"])[-1])
