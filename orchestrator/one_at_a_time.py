# SPDX-License-Identifier: Apache-2.0
"""A lock on a folder of build output."""

import fcntl
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path


@contextmanager
def one_at_a_time(folder: Path, progress: Callable[[str], None]) -> Iterator[int]:
    """Only one process makes something in `folder`; the kernel lets the next one in if this one dies.

    Yields the descriptor of the lock: while a child has it too, the lock outlives us.
    """
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / ".lock").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            progress(f"waiting for another build in {folder}")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield lock.fileno()
