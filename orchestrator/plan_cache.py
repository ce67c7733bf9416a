# SPDX-License-Identifier: Apache-2.0
"""Plans of specs that have not changed since: to read a spec anew takes longer than to start all its QEMUs.

One file per spec and definitions in build/plans. It counts only while the spec's text, this program and its
Python are the same. What lies there is as trusted as the program beside it.
"""

import hashlib
import os
import pickle
import sys
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

from orchestrator.kinds import KernelKind
from orchestrator.plan import Plan


class PlanCache:
    """The place in `folder` for the plan of a spec; making this object reads the spec and writes nothing.

    Raises OSError if the spec cannot be read.
    """

    def __init__(self, folder: Path, spec: Path, defines: Iterable[str]) -> None:
        identity = "\0".join([str(spec), os.getcwd(), *defines])
        self._file = folder / f"{_hash(identity.encode())}.pickle"
        self._key = _hash(f"{sys.version} {_program()}".encode() + spec.read_bytes())

    def recall(self) -> Plan | None:
        """The plan that was kept, if it is still that of the spec."""
        with suppress(OSError, ValueError, TypeError, pickle.UnpicklingError, EOFError):
            key, plan = pickle.loads(self._file.read_bytes())
            if key == self._key and isinstance(plan, Plan):
                return plan
        return None

    def keep(self, plan: Plan) -> None:
        """Not if it rests on other files: those have to be looked at each time."""
        if any(each.files or each.kind is KernelKind.CUSTOM for each in plan.partitions):
            return
        fresh = self._file.with_suffix(f".{os.getpid()}")
        with suppress(OSError):  # without a place to keep it, it is made again
            fresh.parent.mkdir(parents=True, exist_ok=True)
            fresh.write_bytes(pickle.dumps((self._key, plan)))
            fresh.replace(self._file)


def _hash(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _program() -> str:
    """Changes when any of our files does, by name, size or time."""
    files = sorted(os.scandir(Path(__file__).parent), key=lambda file: file.name)
    stats = ((file.name, file.stat()) for file in files if file.name.endswith(".py"))
    return " ".join(f"{name} {info.st_size} {info.st_mtime_ns}" for name, info in stats)
