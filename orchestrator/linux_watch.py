# SPDX-License-Identifier: Apache-2.0
"""What the Linux partitions of an enclave say of themselves, asked for now and then by a thread for each.

One shell runs there as long as this lasts, and answers by its own words alone: nothing is forked for it,
but for pings. A Linux that is slow, dead or not there yet holds nobody up.
"""

import io
import json
import os
import threading
import time
from collections.abc import Callable, Iterable
from contextlib import suppress
from typing import Any

from orchestrator.client import Client
from orchestrator.errors import EnclaveError
from orchestrator.kinds import KernelKind
from orchestrator.selection import find_partition

# Reads lines of names that are to be pinged, and answers each with lines of its own.
_SHELL = """
while read -r peers; do
    set -- /proc/[0-9]*
    echo "processes $#"
    while read -r key value unit; do
        case $key in MemAvailable:) echo "free_kib $value" ;; esac
    done < /proc/meminfo
    for peer in $peers; do
        echo "ping $(ikcctl ping "$peer" -c 1 --json)"
    done
    echo done
done
"""


Life = tuple[int, int | None]  # incarnation, process id of QEMU


class LinuxWatch:
    """`said` is what each partition said last, or what was said of it: `processes`, `free_bytes`, `ping_s`.
    With `ping` the host sends a message to each of the others, and says how long that took to come back."""

    def __init__(self, client: Client, ping: bool) -> None:
        self.said: dict[str, dict[str, float]] = {}
        self._client = client
        self._ping = ping
        self._watchers: dict[str, _Watcher] = {}

    def ask(self, partitions: Iterable[dict[str, Any]]) -> None:
        """Has those that run Linux answer again; `partitions` are those of a look. Returns at once."""
        partitions = list(partitions)
        for each in partitions:
            life = (each["incarnation"], each["pid"])
            watcher = self._watchers.get(each["name"])
            if watcher is not None and (watcher.life != life or not watcher.is_alive()):
                self._forget(each["name"])
                watcher = None
            if each["state"] != "READY":
                self.said.pop(each["name"], None)
            elif KernelKind(each["kernel"]).runs_linux:
                if watcher is None:
                    watcher = self._watchers[each["name"]] = _Watcher(self, self._client, each["name"], life)
                    watcher.start()
                others = [peer["name"] for peer in partitions if peer is not each]
                watcher.ask(others if self._ping and each["is_host"] else [])

    def hear(self, partition: str, **said: float) -> None:
        """From the thread of a watcher."""
        self.said[partition] = self.said.get(partition, {}) | said

    def wait(self, deadline_s: float) -> None:
        """Until all that were asked have answered, or will not."""
        deadline = time.monotonic() + deadline_s
        for watcher in self._watchers.values():
            watcher.answered.wait(max(0.0, deadline - time.monotonic()))

    def stop(self) -> None:
        for name in list(self._watchers):
            self._forget(name)

    def _forget(self, name: str) -> None:
        self._watchers.pop(name).stop()
        self.said.pop(name, None)


class _Watcher(threading.Thread):
    """Ends by itself when its partition does."""

    def __init__(self, watch: LinuxWatch, client: Client, partition: str, life: Life) -> None:
        super().__init__(name=f"watch {partition}", daemon=True)
        self.life = life
        self._watch = watch
        self._client = client
        self._partition = partition
        self._reads, self._writes = os.pipe()
        self.answered = threading.Event()
        self.answered.set()

    def ask(self, peers: Iterable[str]) -> None:
        """Not if it has not answered the last time."""
        if self.answered.is_set():
            self.answered.clear()
            with suppress(BrokenPipeError):  # it is just ending
                os.write(self._writes, f"{' '.join(peers)}\n".encode())

    def stop(self) -> None:
        """What it still says is said to nobody; the end of its input ends the shell."""
        os.close(self._writes)

    def run(self) -> None:
        from orchestrator.ssh import Endpoint, connect

        with suppress(EnclaveError, OSError, EOFError):
            endpoint = Endpoint.of_partition(find_partition(self._client.status(), self._partition))
            with connect(endpoint) as session:
                session.attach(_SHELL, self._reads, _Lines(self._hear), io.BytesIO())
        os.close(self._reads)
        self.answered.set()

    def _hear(self, line: str) -> None:
        what, _, value = line.partition(" ")
        with suppress(ValueError, KeyError):
            if what == "done":
                self.answered.set()
            elif what == "processes":
                self._watch.hear(self._partition, processes=int(value))
            elif what == "free_kib":
                self._watch.hear(self._partition, free_bytes=int(value) * 1024)
            elif what == "ping":
                pinged = json.loads(value)
                if pinged["answered"]:
                    self._watch.hear(pinged["peer"], ping_s=pinged["median_us"] / 1e6)


class _Lines(io.BytesIO):
    """Bytes that are written become lines for somebody."""

    def __init__(self, hear: Callable[[str], None]) -> None:
        super().__init__()
        self._hear = hear
        self._rest = b""

    def write(self, data: Any, /) -> int:
        *lines, self._rest = (self._rest + bytes(data)).split(b"\n")
        for line in lines:
            self._hear(line.decode(errors="replace"))
        return len(data)
