# SPDX-License-Identifier: Apache-2.0
"""The host's kernel module as its kernel's own checkers see it. It needs the headers that enclaves need."""

import os
import subprocess
from pathlib import Path

import pytest

from orchestrator import host_kernel, images
from orchestrator.host_kernel import HostKernel
from orchestrator.kinds import KernelKind
from orchestrator.lwk import BUILD

ROOT = Path(__file__).parents[2]


@pytest.fixture(scope="module")
def kernel() -> HostKernel:
    images.ensure_host_image(BUILD, KernelKind.LINUX, [], {}, print)  # one process at a time
    return host_kernel.ensure_host_kernel(BUILD, print)


def words_about_the_module(kernel: HostKernel, out: Path, *variables: str) -> list[str]:
    """Warnings and errors that the module's own files get when it is built so; it must build."""
    command = ["make", "--silent", f"--jobs={os.cpu_count()}", "-C", str(ROOT / "guest-kernels" / "linux")]
    environment = {key: value for key, value in os.environ.items() if not key.startswith(("MAKE", "MFLAGS"))}
    done = subprocess.run(
        [*command, "module", f"OUT={out}", f"KDIR={kernel.headers.absolute()}", *variables],
        env=environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    lines = done.stdout.splitlines()
    return [
        line
        for line in lines
        if line.startswith(f"{out}/tree/") and (": warning:" in line or ": error:" in line)
    ]


def test_sparse_and_gccs_analyzer_have_nothing_to_say(kernel: HostKernel, tmp_path: Path) -> None:
    """By one build: C=2 has sparse look at each file that gcc compiles."""
    # The kernel's own headers compare signed with unsigned, so that this alone must not end the build.
    flags = "-fanalyzer -Wsign-compare -Wno-error=sign-compare"
    assert not words_about_the_module(kernel, tmp_path, "C=2", f"KCFLAGS={flags}")
