# SPDX-License-Identifier: Apache-2.0
"""Work in a partition that may die meanwhile: it ends then, with the reason, and does not wait for ever.

A guest that has panicked closes no connection: its QEMU stands still, and keeps it open for ever.
"""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

from orchestrator.client import Client
from orchestrator.errors import EnclaveError, HangError, UsageError

LOST_WITHIN_S = 1.0  # from the end of a connection to the news of a death
ENDED = ("PANICKED", "EXITED")


def require_alive(client: Client, partition: Mapping[str, Any]) -> None:
    """Raises why nothing can be done in a partition that has ended; `partition` is its part of the status."""
    name = partition["name"]
    if partition["state"] in ENDED:
        client.death(name)
        raise UsageError(
            f"{name} has ended: {partition['reason']}", f"`enclave restart {name}` boots it again"
        )


class DeathWatch:
    """Over the present life of a partition; when that is over, what `closes` was told is called."""

    def __init__(self, client: Client, partition: str) -> None:
        self._client = client
        self._partition = partition
        self._error: EnclaveError | None = None
        self._over = threading.Event()
        self._lock = threading.Lock()
        self._close: Callable[[], None] | None = None
        # It ends with the process, if the partition does not.
        threading.Thread(target=self._watch, daemon=True).start()

    def _watch(self) -> None:
        try:
            self._client.death(self._partition)
        except EnclaveError as error:
            self._error = error
        with self._lock:
            self._over.set()
            close = self._close
        if close is not None:
            close()

    def closes(self, close: Callable[[], None]) -> None:
        """How the work is to be ended."""
        with self._lock:
            self._close = close
            late = self._over.is_set()
        if late:
            close()

    @contextmanager
    def blames(self) -> Iterator[None]:
        """Work that fails because the partition died, or hangs, raises that instead."""
        try:
            yield
        except EnclaveError:
            # The end of QEMU breaks a connection before the supervisor has told of it.
            self._over.wait(LOST_WITHIN_S)
            error = self._error or self._hang()
            if error is None:
                raise
            raise error from None

    def _hang(self) -> EnclaveError | None:
        """A hung kernel may yet answer; but if the work has failed, that is why."""
        try:
            status = self._client.status()
        except EnclaveError:
            return None
        found = next(each for each in status["partitions"] if each["name"] == self._partition)
        if found["state"] != "HUNG":
            return None
        hint = f"`enclave crash {self._client.run.name}` tells the story"
        return HangError(f"{self._partition}: {found['reason']}", hint)
