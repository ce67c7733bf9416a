# SPDX-License-Identifier: Apache-2.0
"""Stands in for QEMU and its guest: takes the real command line, speaks QMP, plays a kernel in the region.

How the guest behaves is said on its command line (`-append`), and typed into its console:

    mute      its monitor never greets                 reset    resets, though nobody asked it to
    deaf      its monitor does not obey `quit`         hang     takes no doorbell any more
    late      it never gets READY                      wake     takes them again
    exit      QEMU ends at once with status 1          log X    writes X into its kernel log
                                                       flood    writes 64 KiB to the console
The console echoes what is typed. QMP's `x-do` sends an event or ends QEMU (test_machine.py).
"""

import array
import json
import mmap
import os
import select
import signal
import socket
import struct
import sys
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.ikc import Region, View
from orchestrator.ikc_layout import ensure_layout

BUILD = "ENCLAVE_FAKE_QEMU_BUILD"  # environment: the folder of ikc_layout.json
FLOOD = 1 << 16
USERNET = """Hub -1 (net0):
  Protocol[State]    FD  Source Address  Port   Dest. Address  Port RecvQ SendQ
  TCP[HOST_FORWARD]  15       127.0.0.1 40713       10.0.2.15    22     0     0
"""


def option(arguments: Sequence[str], name: str, wanted: str = "") -> str:
    """The value of the first option of that name that contains `wanted`, or ""."""
    return next((value for key, value in pairwise(arguments) if key == name and wanted in value), "")


def inherited(arguments: Sequence[str], name: str) -> socket.socket | None:
    value = option(arguments, "-chardev", f"id={name},")
    return socket.socket(fileno=int(value.rpartition("fd=")[2])) if value else None


class Monitor:
    def __init__(self, connection: socket.socket, mood: str) -> None:
        self.connection = connection
        self.mood = mood
        self.guest: Guest | None = None
        self.text = ""

    def greet(self) -> None:
        version = {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": ""}
        self.send({"QMP": {"version": version, "capabilities": []}})

    def send(self, message: dict[str, Any]) -> None:
        self.connection.sendall(json.dumps(message).encode() + b"\r\n")

    def event(self, name: str, **data: Any) -> None:
        self.send({"event": name, "data": data, "timestamp": {"seconds": 0, "microseconds": 0}})

    def take(self) -> None:
        data = self.connection.recv(1 << 16)
        if not data:
            sys.exit(0)
        self.text += data.decode()
        for request in self.requests():
            result = self.obey(request["execute"], request.get("arguments", {}))
            if result is not None:
                self.send({"return": result} | {key: request[key] for key in ("id",) if key in request})

    def requests(self) -> Iterator[dict[str, Any]]:
        """One JSON object after the other, with or without anything between them."""
        while text := self.text.lstrip():
            try:
                request, end = json.JSONDecoder().raw_decode(text)
            except ValueError:
                return
            self.text = text[end:]
            yield request

    def obey(self, command: str, arguments: dict[str, Any]) -> Any:
        if command == "quit" and self.mood != "deaf":
            self.event("SHUTDOWN", guest=False, reason="host-qmp-quit")
            sys.exit(0)
        if command == "human-monitor-command":
            return USERNET
        if command == "x-do":
            return self.do(**arguments)
        if command == "cont" and self.guest:
            self.event("RESUME")
            self.guest.boot()
        return None if command == "quit" else {}

    def do(self, event: str = "", data: Any = None, exit: int = -1, say: str = "") -> Any:
        if event:
            self.event(event, **(data or {}))
        if say:
            print(say, file=sys.stderr)
        if exit >= 0:
            sys.exit(exit)
        return {}


class Guest:
    """A kernel, as far as the region shows it."""

    def __init__(self, fabric: socket.socket, serial: socket.socket, monitor: Monitor, mood: str) -> None:
        self.serial = serial
        self.monitor = monitor
        self.mood = mood
        self.hung = False
        self.typed = b""
        self.id, region, self.doorbells = converse(fabric)
        self.region = Region(mmap.mmap(region, 0), ensure_layout(Path(os.environ[BUILD])))
        self.boot()

    @property
    def partition(self) -> View:
        return self.region.partition(self.id)

    def say(self, state: str) -> None:
        states = self.region.layout.enums["ikc_partition_state"]
        self.partition.inner("status").store("state", states[f"IKC_PARTITION_{state}"])
        os.eventfd_write(self.doorbells[self.region.header().load("monitor_id")][0], 1)

    def boot(self) -> None:
        """As the comment on struct ikc_status asks of a kernel that begins."""
        status, mailbox = self.partition.inner("status"), self.partition.inner("mailbox")
        self.say("NONE")
        status.store("report_valid", 0)
        status.store("panic_length", 0)
        status.store("answered", mailbox.load("sequence"))
        status.store("incarnation", mailbox.load("incarnation"))
        self.say("BOOTING")
        for peer in range(self.region.header().load("partition_count")):
            half = self.region.half(self.id, peer)
            half.store("lives", status.load("incarnation") << 48)
            half.store("state", self.region.layout.enums["ikc_link_state"]["IKC_LINK_RUN"])
        self.serial.sendall(b"fake kernel\r\nboots")
        if self.mood != "late":
            self.log("ready\n")
            self.say("READY")

    def use_memory(self, path: str) -> None:
        """Says so if it is not that of a machine just switched on, and leaves its mark."""
        if path:
            with open(path, "r+b") as memory:
                if memory.read(1) != b"\0":
                    self.log("memory of an earlier life\n")
                memory.seek(0)
                memory.write(b"used")

    def log(self, text: str) -> None:
        log = self.partition.inner("log")
        at = log.load("written")
        log.store("reserved", at + len(text))
        for i, byte in enumerate(text.encode()):
            log.store("data", byte, at + i)
        log.store("written", at + len(text))

    def rung(self) -> None:
        try:
            os.eventfd_read(self.doorbells[self.id][0])
        except BlockingIOError:
            return
        status, mailbox = self.partition.inner("status"), self.partition.inner("mailbox")
        sequence = mailbox.load("sequence")
        if self.hung or sequence == status.load("answered"):
            return
        command = mailbox.load("command")
        status.store("heartbeat", status.load("heartbeat") + 1)
        status.store("answered", sequence)
        os.eventfd_write(self.doorbells[self.region.header().load("monitor_id")][0], 1)
        commands = self.region.layout.names("ikc_command", "IKC_COMMAND_")
        self.obey(commands[command])

    def obey(self, command: str) -> None:
        if command == "SHUTDOWN":
            self.say("STOPPING")
            self.stop("guest-shutdown")
        elif command == "RESTART":
            self.say("RESTARTING")
            self.stop("guest-reset")
        elif command == "HANG":
            self.hung = True
        elif command == "PANIC":
            text = b"panic asked for by the monitor\nbacktrace"
            status = self.partition.inner("status")
            status.store_copy("panic_text", text)
            status.store("panic_length", len(text))
            self.say("PANICKED")
            self.monitor.event("GUEST_PANICKED", action="pause")
            self.monitor.event("STOP")

    def stop(self, reason: str) -> None:
        self.monitor.event("SHUTDOWN", guest=True, reason=reason)
        self.monitor.event("STOP")

    def take_input(self) -> None:
        data = self.serial.recv(4096)
        self.serial.sendall(data)
        *lines, self.typed = (self.typed + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode().strip().partition(" ")
            if word == "reset":
                self.stop("guest-reset")
            elif word in ("hang", "wake"):
                self.hung = word == "hang"
            elif word == "log":
                self.log(rest + "\n")
            elif word == "flood":
                self.serial.sendall(b"x" * FLOOD)


def converse(fabric: socket.socket) -> tuple[int, int, dict[int, list[int]]]:
    """Reads what the ivshmem server says: own id, the region, and everybody's doorbells."""
    doorbells: dict[int, list[int]] = {}
    own, region = -1, -1
    while len(doorbells.get(own, [])) < 2:
        data, ancillary, _, _ = fabric.recvmsg(8, socket.CMSG_SPACE(4))
        number = struct.unpack("<q", data)[0]
        if not ancillary:
            own = number  # the version first, then the id
        elif number == -1:
            region = array.array("i", ancillary[0][2])[0]
        else:
            doorbells.setdefault(number, []).append(array.array("i", ancillary[0][2])[0])
    return own, region, doorbells


def main(arguments: Sequence[str]) -> None:
    mood = option(arguments, "-append").split(" ")[-1]
    if mood == "exit":
        sys.exit("fake_qemu: told to exit")
    if mood == "mute":
        signal.pause()
    qmp = inherited(arguments, "qmp")
    fabric, serial = inherited(arguments, "fabric"), inherited(arguments, "serial")
    assert qmp is not None
    monitor = Monitor(qmp, mood)
    monitor.greet()
    sources = {qmp.fileno(): monitor.take}
    if fabric is not None and serial is not None:
        guest = monitor.guest = Guest(fabric, serial, monitor, mood)
        guest.use_memory(option(arguments, "-object", "id=ram0,").partition("mem-path=")[2])
        sources |= {serial.fileno(): guest.take_input, guest.doorbells[guest.id][0]: guest.rung}
    poll = select.poll()
    for source in sources:
        poll.register(source, select.POLLIN)
    while True:
        for ready, _ in poll.poll():
            sources[ready]()


if __name__ == "__main__":
    main(sys.argv[1:])
