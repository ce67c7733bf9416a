# SPDX-License-Identifier: Apache-2.0
"""A thread that holds a run folder's lock and answers on its control socket, in place of a supervisor."""

import json
import os
import socket
import threading
from collections.abc import Callable
from typing import Any

from orchestrator.run import RunFolder


def status_of(name: str, **changes: Any) -> dict[str, Any]:
    """The status of an enclave with a host and one LWK."""
    return {
        "enclave": name,
        "spec": "specs/solo.yaml",
        "run_folder": f"/run/{name}",
        "accelerator": "tcg",
        "interposed": False,
        "ready_s": 1.5,
        "other_processors": [],
        "partitions": [_partition("host", "linux", 0), _partition("lwk0", "lwk", 1)],
        "ssh": None,
    } | changes


def _partition(name: str, kernel: str, index: int) -> dict[str, Any]:
    return {
        "name": name,
        "index": index,
        "kernel": kernel,
        "kernel_file": f"/build/{kernel}.elf",
        "is_host": kernel == "linux",
        "state": "READY",
        "reason": "",
        "incarnation": 1,
        "pid": 4000 + index,
        "debugger": None,
        "debugger_pid": None,
        "gdb_socket": f"/run/gdb-{name}.sock",
        "kernel_release": "6.1" if kernel == "linux" else None,
        "cpus": [index],
        "numa": [{"node": 0, "kind": "dram", "size_bytes": 128 << 20}],
        "placement": None,
        "links": {"lwk0" if kernel == "linux" else "host": "RUN"},
        "ready_s": 1.25,
    }


class FakeSupervisor:
    """Answers `status` by `status`, other verbs by `answers`; keeps the requests that came in `requests`.
    `on` has what else a verb does, before it is answered."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.status = status_of(run.name)
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.raw: dict[str, bytes] = {}
        self.on: dict[str, Callable[[], object]] = {}
        self.requests: list[dict[str, Any]] = []
        self._lock = self.run.claim()
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        self._listener.bind(str(self.run.control_socket))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection, connection.makefile("rb") as lines:
                request = json.loads(lines.readline())
                self.requests.append(request)
                self.on.get(request["verb"], lambda: None)()
                answers = self.answers.get(request["verb"], [{"ok": self.status}])
                text = "".join(json.dumps(answer) + "\n" for answer in answers)
                connection.sendall(text.encode() + self.raw.get(request["verb"], b""))
            if request["verb"] == "down":
                self._end()
                return

    def _end(self) -> None:
        self.run.control_socket.unlink()
        os.close(self._lock)

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()
        if self.run.is_running():
            self._end()
