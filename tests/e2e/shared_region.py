# SPDX-License-Identifier: Apache-2.0
"""The IKC region of a running enclave, looked at from outside: as /proc shows what its QEMUs have open."""

import mmap
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.ikc import Region
from orchestrator.ikc_layout import compile_layout
from orchestrator.pytest_plugin import Enclave


def memory_of(enclave: Enclave) -> Path:
    pid = enclave.status()["supervisor_pid"]
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        if entry.readlink().name.startswith("memfd:ikc-region"):
            return entry
    raise AssertionError(f"the supervisor {pid} has no region open")


@contextmanager
def shared_region(enclave: Enclave) -> Iterator[Region]:
    descriptor = os.open(memory_of(enclave), os.O_RDWR)
    region = Region(mmap.mmap(descriptor, 0), compile_layout())
    os.close(descriptor)
    try:
        yield region
    finally:
        region.close()
