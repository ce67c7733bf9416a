# SPDX-License-Identifier: Apache-2.0
"""A QEMU that speaks QMP on an inherited socket and does as the test says; no guest, no waiting.

    fake_qemu.py QMP_FD [mute | deaf | SERIAL_FD]

`mute` never greets, `deaf` never obeys `quit`. The command `x-do` runs what a test wants of it:
{"event": NAME, "data": {...}}, {"serial": TEXT}, {"exit": STATUS, "say": TEXT}.
"""

import json
import os
import signal
import socket
import sys
from collections.abc import Iterator
from typing import Any

USERNET = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  15       127.0.0.1 40713       10.0.2.15    22     0     0
"""


class FakeQemu:
    def __init__(self, monitor: socket.socket, mood: str) -> None:
        self.monitor = monitor
        self.mood = mood

    def send(self, message: dict[str, Any]) -> None:
        self.monitor.sendall(json.dumps(message).encode() + b"\r\n")

    def event(self, name: str, **data: Any) -> None:
        self.send({"event": name, "data": data, "timestamp": {"seconds": 0, "microseconds": 0}})

    def serve(self) -> None:
        if self.mood == "mute":
            signal.pause()
        version = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}
        self.send({"QMP": {"version": version, "capabilities": []}})
        for request in self.requests():
            result = self.obey(request["execute"], request.get("arguments", {}))
            if result is not None:
                self.send({"return": result} | {key: request[key] for key in ("id",) if key in request})

    def requests(self) -> Iterator[dict[str, Any]]:
        """One JSON object after the other, with or without anything between them."""
        text = ""
        while data := self.monitor.recv(1 << 16):
            text += data.decode()
            while text := text.lstrip():
                try:
                    request, end = json.JSONDecoder().raw_decode(text)
                except ValueError:
                    break
                text = text[end:]
                yield request

    def obey(self, command: str, arguments: dict[str, Any]) -> Any:
        if command == "quit" and self.mood != "deaf":
            self.event("SHUTDOWN", guest=False, reason="host-qmp-quit")
            sys.exit(0)
        if command == "human-monitor-command":
            return USERNET
        if command == "x-do":
            return self.do(**arguments)
        return None if command == "quit" else {}

    def do(self, event: str = "", data: Any = None, serial: str = "", exit: int = -1, say: str = "") -> Any:
        if event:
            self.event(event, **(data or {}))
        if serial:
            os.write(int(self.mood), serial.encode())
        if say:
            print(say, file=sys.stderr)
        if exit >= 0:
            sys.exit(exit)
        return {}


if __name__ == "__main__":
    FakeQemu(socket.socket(fileno=int(sys.argv[1])), sys.argv[2] if len(sys.argv) > 2 else "").serve()
