# SPDX-License-Identifier: Apache-2.0
"""Stands in for QEMU and its guest: takes the real command line, speaks QMP, plays a kernel in the region.

How the guest behaves is said on its command line (`-append`), and typed into its console:

    mute      its monitor never greets                 reset    resets, though nobody asked it to
    deaf      its monitor does not obey `quit`         hang     takes no doorbell any more
    late      it never gets READY                      wake     takes them again
    slow      takes time to tell its registers         triple   resets, as after a triple fault
                                                       send     is a message to partition 0, for its trace
    exit      QEMU ends at once with status 1          log X    writes X into its kernel log
                                                       flood    writes 64 KiB to the console
The console echoes what is typed. QMP's `x-do` sends an event or ends QEMU (test_machine.py).
"""

import array
import json
import mmap
import os
import re
import select
import signal
import socket
import struct
import sys
import threading
import time
from collections.abc import Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Any

from orchestrator.ikc import Region, View
from orchestrator.ikc_layout import ensure_layout

BUILD = "ENCLAVE_FAKE_QEMU_BUILD"  # environment: the folder of ikc_layout.json
FREE_BYTES = 8 << 20
FLOOD = 1 << 16
SLOW_S = 1.0
KNOWN = range(6)  # commands of the mailbox: those of ABI 2.0
CODE, CALLER, FRAME = (
    0x20_0010,
    0x20_0020,
    0x1000,
)  # where its CPU is, from where it was called, and its frame
DOUBLE_FAULT_GATE = 8 * 16
# Of a CPU with paging off, so that its frame is where it says; the limit of its IDT is to be filled in.
REGISTERS = f"""
CPU#0
RAX=0000000000000000 RBP={FRAME:016x} RSP={FRAME:016x}
RIP={CODE:016x} RFL=00000002 [-------] CPL=0 II=0 A20=1 SMM=0 HLT=0
IDT=     0000000000000000 %08x
CR0=00000011 CR2=0000000000000000 CR3=0000000000000000 CR4=00000000
EFER=0000000000000400
"""
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
            return self.obey_person(arguments["command-line"])
        if command == "query-version":
            return {"qemu": {"major": 7, "minor": 2, "micro": 22}, "package": "fake"}
        if command == "query-cpus-fast":
            place = {"socket-id": 0, "core-id": 0, "thread-id": 0}
            return [{"cpu-index": 0, "thread-id": os.getpid(), "props": place}]
        if command == "memsave":
            Path(arguments["filename"]).write_bytes(bytes(arguments["size"]))
        if command == "dump-guest-memory":
            Path(arguments["protocol"].removeprefix("file:")).write_bytes(b"\x7fELF")
        if command == "x-do":
            return self.do(**arguments)
        if command == "stop" and self.guest:
            self.guest.pause()
        if command == "cont" and self.guest:
            self.event("RESUME")
            self.guest.resume()
        return None if command == "quit" else {}

    def obey_person(self, line: str) -> str:
        if line.startswith("gdbserver unix:") and self.guest:
            Stub(line.removeprefix("gdbserver unix:").partition(",")[0], self.guest).start()
        if line != "info registers -a":
            return "" if line.startswith("gdbserver") else USERNET
        if self.mood == "slow":
            time.sleep(SLOW_S)
        return REGISTERS % (0 if self.guest and self.guest.tripled else 0xFFF)

    def do(self, event: str = "", data: Any = None, exit: int = -1, say: str = "") -> Any:
        if event:
            self.event(event, **(data or {}))
        if say:
            print(say, file=sys.stderr)
        if exit >= 0:
            sys.exit(exit)
        return {}


class Stub(threading.Thread):
    """gdb's remote protocol: `c` lets the guest run, any byte stops it, `D` detaches; no more than that."""

    def __init__(self, path: str, guest: "Guest") -> None:
        super().__init__(daemon=True)
        self.guest = guest
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(path)
        self.listener.listen()

    def run(self) -> None:
        connection, _ = self.listener.accept()
        self.stop()
        while data := connection.recv(4096):
            self.stop()
            for packet in re.findall(rb"\$([^#]*)#..", data):
                if packet.startswith((b"c", b"D")):
                    self.guest.monitor.event("RESUME")
                    self.guest.resume()
                connection.sendall(b"+$OK#9a" if packet.startswith(b"D") else b"+$#00")

    def stop(self) -> None:
        if not self.guest.paused and not self.guest.waits:
            self.guest.pause()


class Guest:
    """A kernel, as far as the region shows it."""

    def __init__(
        self, fabric: socket.socket, serial: socket.socket, monitor: Monitor, mood: str, waits: bool
    ) -> None:
        self.serial = serial
        self.monitor = monitor
        self.mood = mood
        self.hung = False
        self.paused = False
        self.waits = waits
        self.tripled = False
        self.typed = b""
        self.id, region, self.doorbells = converse(fabric)
        self.region = Region(mmap.mmap(region, 0), ensure_layout(Path(os.environ[BUILD])))
        if not waits:
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
        status.store("memory_bytes", 0)
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
            self.tell_use()
            self.say("READY")

    def use_memory(self, path: str) -> None:
        """Says so if it is not that of a machine just switched on, and leaves its mark."""
        if path:
            with open(path, "r+b") as memory:
                if memory.read(1) != b"\0":
                    self.log("memory of an earlier life\n")
                memory.seek(0)
                memory.write(b"used")
                memory.seek(FRAME)
                memory.write(struct.pack("<2Q", 0, CALLER + 1))
                memory.seek(DOUBLE_FAULT_GATE)
                memory.write(struct.pack("<HHBBHII", CODE & 0xFFFF, 8, 0, 0x8E, CODE >> 16, 0, 0))

    def tell_use(self) -> None:
        """One program, which has made a call for each answer to the monitor. Linux does not tell."""
        status, kinds = self.partition.inner("status"), self.region.layout.enums["ikc_kernel_kind"]
        if self.partition.inner("identity").load("kernel_kind") == kinds["IKC_KERNEL_LWK"]:
            status.store("free_bytes", FREE_BYTES)
            status.store("processes", 1)
            status.store("threads", 2)
            status.store("offloads", status.load("heartbeat"))
            status.store("offload_ns", 1000 * status.load("heartbeat"))
            status.store("memory_bytes", 2 * FREE_BYTES)

    def log(self, text: str) -> None:
        log = self.partition.inner("log")
        at = log.load("written")
        log.store("reserved", at + len(text))
        for i, byte in enumerate(text.encode()):
            log.store("data", byte, at + i)
        log.store("written", at + len(text))

    def trace(self) -> None:
        """A record of a message that would be sent now."""
        trace = self.partition.inner("trace")
        number = trace.load("written")
        trace.inner("records", number).store("stamp", number + 1)
        trace.store("written", number + 1)

    def rung(self) -> None:
        try:
            os.eventfd_read(self.doorbells[self.id][0])
        except BlockingIOError:
            return
        self.look()

    def look(self) -> None:
        status, mailbox = self.partition.inner("status"), self.partition.inner("mailbox")
        sequence = mailbox.load("sequence")
        if self.hung or self.paused or sequence == status.load("answered"):
            return
        command = mailbox.load("command")
        self.tell_use()
        status.store("heartbeat", status.load("heartbeat") + 1)
        known = command in KNOWN
        results = self.region.layout.enums["ikc_mailbox_result"]
        status.store("answer", results["IKC_MAILBOX_DONE" if known else "IKC_MAILBOX_UNKNOWN"])
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

    def pause(self) -> None:
        self.paused = True
        self.monitor.event("STOP")

    def resume(self) -> None:
        """After a pause it goes on; after a reset, and at first, it boots."""
        self.waits = False
        if self.paused:
            self.paused = False
            self.look()
        else:
            self.boot()

    def stop(self, reason: str) -> None:
        self.monitor.event("SHUTDOWN", guest=True, reason=reason)
        self.monitor.event("STOP")

    def take_input(self) -> None:
        data = self.serial.recv(4096)
        self.serial.sendall(data)
        *lines, self.typed = (self.typed + data).split(b"\n")
        for line in lines:
            word, _, rest = line.decode(errors="replace").strip().partition(" ")
            if word in ("reset", "triple"):
                self.tripled = word == "triple"
                self.stop("guest-reset")
            elif word in ("hang", "wake"):
                self.hung = word == "hang"
            elif word == "log":
                self.log(rest + "\n")
            elif word == "send" and self.partition.inner("mailbox").load("trace"):
                self.trace()
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
        guest = monitor.guest = Guest(fabric, serial, monitor, mood, "-S" in arguments)
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
