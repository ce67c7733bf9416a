# SPDX-License-Identifier: Apache-2.0
"""A thread that holds a run folder's lock and answers on its control socket, in place of a supervisor."""

import json
import os
import socket
import threading
from typing import Any

from orchestrator.run import RunFolder


def status_of(name: str, **changes: Any) -> dict[str, Any]:
    """The status of an enclave with a host and one LWK."""
    return {
        "enclave": name,
        "spec": "specs/solo.yaml",
        "run_folder": f"/run/{name}",
        "accelerator": "tcg",
        "ready_s": 1.5,
        "partitions": [_partition("host", "linux", 0), _partition("lwk0", "lwk", 1)],
        "ssh": None,
    } | changes


def _partition(name: str, kernel: str, index: int) -> dict[str, Any]:
    return {
        "name": name,
        "index": index,
        "kernel": kernel,
        "is_host": kernel == "linux",
        "state": "READY",
        "reason": "",
        "incarnation": 1,
        "cpus": [index],
        "numa": [{"node": 0, "kind": "dram", "size_bytes": 128 << 20}],
        "links": {"lwk0" if kernel == "linux" else "host": "RUN"},
        "ready_s": 1.25,
    }


class FakeSupervisor:
    """Answers `status` by `status`, other verbs by `answers`; keeps the requests that came in `requests`."""

    def __init__(self, run: RunFolder) -> None:
        self.run = run
        self.status = status_of(run.name)
        self.answers: dict[str, list[dict[str, Any]]] = {}
        self.raw: dict[str, bytes] = {}
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
