# SPDX-License-Identifier: Apache-2.0
"""The monitor's hands and eyes in the IKC region (guest-kernels/ikc/ikc_layout.h, docs/ikc-protocol.md).

The monitor writes the header, the identities and the mailboxes, and reads all the rest. What a guest
wrote is hostile: every word is read once, every length and index is bounded before it is used, every
value without a name is shown as a number, and text is decoded with what cannot be printed replaced.
"""

import mmap
from collections.abc import Sequence
from math import prod
from typing import NamedTuple

from orchestrator.ikc_layout import Layout, halves_offset

NO_WINDOW = 0xFFFF_FFFF  # ikc_segment.window_devfn


class Segment(NamedTuple):
    """Guest-physical RAM of a partition; `offset` is its place in its window, sizes are bytes."""

    phys: int
    size: int
    offset: int
    window_devfn: int
    node: int


class Identity(NamedTuple):
    """What the monitor says of a partition before any kernel starts; `kernel` is LINUX, LWK or CUSTOM."""

    name: str
    kernel: str
    is_host: bool
    cpu_count: int
    segments: tuple[Segment, ...]


class Mailbox(NamedTuple):
    incarnation: int
    alive: bool
    sequence: int


class Use(NamedTuple):
    """What a kernel gives to programs, and they to it. `offloads` are the system calls that proxies have
    answered in this life, `offload_ns` is what their callers waited, added up."""

    memory_bytes: int
    free_bytes: int
    processes: int
    threads: int
    offloads: int
    offload_ns: int


class Status(NamedTuple):
    """What a partition says of itself; of `use` not all kernels do.

    `state` and `answer` are names of the C enums without their prefix."""

    state: str
    incarnation: int
    answered: int
    answer: str
    heartbeat: int
    cpus_online: int
    tsc_khz: int
    entry_ns: int
    ready_ns: int
    report_valid: bool
    panic_cpu: int
    panic_text: str
    use: Use | None


class Traffic(NamedTuple):
    """What one end of a link has counted since the run began: messages, bytes of the data and control rings,
    sends refused for want of room, doorbells rung, interrupts, resets, messages that nobody listened for.
    The first names are those of `struct ikc_counters`; what channels count is added."""

    sent: int
    received: int
    sent_bytes: int
    received_bytes: int
    full: int
    doorbells: int
    interrupts: int
    resets: int
    refused: int


class Report(NamedTuple):
    """What a kernel found in its ACPI tables; numbering and units are its own (struct ikc_report)."""

    cpus: tuple[tuple[int, int], ...]  # APIC id, node
    ranges: tuple[tuple[int, int, int], ...]  # base, bytes, node
    distances: tuple[tuple[int, ...], ...]
    latency_ns: tuple[tuple[int, ...], ...]
    bandwidth_mb: tuple[tuple[int, ...], ...]


class View:
    """One struct in the region. Each load and store of a word is one access of the processor."""

    __slots__ = ("_base", "_region", "_struct")

    def __init__(self, region: "Region", struct: str, base: int) -> None:
        self._region = region
        self._struct = region.layout.structs[struct]
        self._base = base

    def _at(self, field: str, index: Sequence[int]) -> tuple[str, int]:
        place = self._struct.fields[field]
        flat = 0
        for i, length in zip(index, place.shape, strict=True):
            if not 0 <= i < length:
                raise IndexError(f"{field}{list(index)}")
            flat = flat * length + i
        return place.type, self._base + place.offset + flat * self._region.size_of(place.type)

    def load(self, field: str, *index: int) -> int:
        kind, at = self._at(field, index)
        return self._region.load(kind, at)

    def store(self, field: str, value: int, *index: int) -> None:
        kind, at = self._at(field, index)
        self._region.store(kind, at, value)

    def inner(self, field: str, *index: int) -> "View":
        kind, at = self._at(field, index)
        return View(self._region, kind, at)

    def span(self, field: str) -> tuple[int, int]:
        """Where a field, or a whole array, begins and ends in the region."""
        place = self._struct.fields[field]
        begin = self._base + place.offset
        return begin, begin + prod(place.shape) * self._region.size_of(place.type)

    def copy(self, field: str, begin: int, end: int) -> bytes:
        """A copy of part of an array of bytes, cut to its bounds."""
        place = self._struct.fields[field]
        size = place.shape[0]
        base = self._base + place.offset
        return self._region.copy(base + min(begin, size), base + min(end, size))

    def store_copy(self, field: str, value: bytes) -> None:
        if len(value) > self._struct.fields[field].shape[0]:
            raise ValueError(f"{field}: {len(value)} bytes")
        self._region.store_copy(self._base + self._struct.fields[field].offset, value)

    def matrix(self, field: str, size: int) -> tuple[tuple[int, ...], ...]:
        return tuple(tuple(self.load(field, row, column) for column in range(size)) for row in range(size))


class Region:
    """The region in this process's memory. `close` it before the mapping goes away."""

    def __init__(self, memory: mmap.mmap, layout: Layout) -> None:
        self.layout = layout
        self._bytes = memoryview(memory)
        self._words = {
            "u8": self._bytes,
            "u16": self._bytes.cast("H"),
            "u32": self._bytes.cast("I"),
            "u64": self._bytes.cast("Q"),
        }
        self._states = layout.names("ikc_partition_state", "IKC_PARTITION_")
        self._results = layout.names("ikc_mailbox_result", "IKC_MAILBOX_")
        self._link_states = layout.names("ikc_link_state", "IKC_LINK_")
        self._count = self.header().load("partition_count")

    def close(self) -> None:
        for words in self._words.values():
            words.release()

    # ---- words ----

    def size_of(self, kind: str) -> int:
        words = self._words.get(kind)
        return words.itemsize if words is not None else self.layout.structs[kind].size

    def load(self, kind: str, at: int) -> int:
        words = self._words[kind]
        return int(words[at // words.itemsize])

    def store(self, kind: str, at: int, value: int) -> None:
        words = self._words[kind]
        words[at // words.itemsize] = value

    def copy(self, begin: int, end: int) -> bytes:
        return bytes(self._bytes[begin:end])

    def words(self, begin: int, end: int) -> list[int]:
        """The 64-bit words from one place to another, each loaded once."""
        return self._words["u64"][begin // 8 : end // 8].tolist()

    def store_copy(self, at: int, value: bytes) -> None:
        self._bytes[at : at + len(value)] = value

    # ---- structs ----

    def header(self) -> View:
        return View(self, "ikc_region", 0)

    def partition(self, index: int) -> View:
        if not 0 <= index < self._count:
            raise IndexError(f"partition {index}")
        struct = self.layout.structs["ikc_partition"]
        return View(self, "ikc_partition", self.layout.constant("IKC_PAGE_SIZE") + index * struct.size)

    def half(self, from_: int, to: int) -> View:
        if not (0 <= from_ < self._count and 0 <= to < self._count):
            raise IndexError(f"half {from_} to {to}")
        size = self.layout.structs["ikc_half"].size
        at = halves_offset(self.layout, self._count) + (from_ * self._count + to) * size
        return View(self, "ikc_half", at)

    # ---- what the monitor writes ----

    def format(self, identities: Sequence[Identity], run_id: int) -> None:
        """Writes header and identities into a region of zeros; nobody is alive in it yet."""
        layout = self.layout
        header = self.header()
        header.store("abi_major", layout.constant("IKC_ABI_MAJOR"))
        header.store("abi_minor", layout.constant("IKC_ABI_MINOR"))
        header.store("region_size", len(self._bytes))
        header.store("run_id", run_id)
        header.store("partition_count", len(identities))
        header.store("monitor_id", len(identities))
        header.store("partitions_offset", layout.constant("IKC_PAGE_SIZE"))
        header.store("partition_stride", layout.structs["ikc_partition"].size)
        header.store("halves_offset", halves_offset(layout, len(identities)))
        header.store("half_stride", layout.structs["ikc_half"].size)
        self._count = len(identities)
        for index, identity in enumerate(identities):
            self._write_identity(self.partition(index).inner("identity"), identity)
        header.store("magic", layout.constant("IKC_MAGIC"))

    def _write_identity(self, view: View, identity: Identity) -> None:
        view.store_copy("name", identity.name.encode() + b"\0")
        view.store("kernel_kind", self.layout.enums["ikc_kernel_kind"][f"IKC_KERNEL_{identity.kernel}"])
        view.store("is_host", identity.is_host)
        view.store("cpu_count", identity.cpu_count)
        view.store("segment_count", len(identity.segments))
        for index, segment in enumerate(identity.segments):
            words = view.inner("segments", index)
            words.store("phys", segment.phys)
            words.store("size", segment.size)
            words.store("offset", segment.offset)
            words.store("window_devfn", segment.window_devfn)
            words.store("node", segment.node)

    def begin_life(self, index: int) -> int:
        """The next incarnation of a partition; returns its number. Ring everybody afterwards."""
        mailbox = self.partition(index).inner("mailbox")
        incarnation = mailbox.load("incarnation") + 1
        # While `alive` is 0 nobody looks at the number, so no reader sees a life half begun.
        mailbox.store("alive", 0)
        mailbox.store("command", 0)
        mailbox.store("incarnation", incarnation)
        mailbox.store("alive", 1)
        return incarnation

    def end_life(self, index: int) -> None:
        """Its words mean nothing any more. Ring everybody afterwards."""
        self.partition(index).inner("mailbox").store("alive", 0)

    def post_command(self, index: int, command: str, argument: int = 0) -> int:
        """Writes a command (IKC_COMMAND_*) and returns its sequence number. Ring the partition afterwards."""
        mailbox = self.partition(index).inner("mailbox")
        sequence = (mailbox.load("sequence") + 1) & 0xFFFF_FFFF
        mailbox.store("argument", argument)
        mailbox.store("command", self.layout.enums["ikc_command"][f"IKC_COMMAND_{command}"])
        mailbox.store("sequence", sequence)
        return sequence

    def ask_for_trace(self, index: int, wanted: bool) -> None:
        """Whether a partition is to write a record of each message."""
        self.partition(index).inner("mailbox").store("trace", wanted)

    # ---- what it reads ----

    def mailbox(self, index: int) -> Mailbox:
        view = self.partition(index).inner("mailbox")
        return Mailbox(view.load("incarnation"), bool(view.load("alive")), view.load("sequence"))

    def status(self, index: int) -> Status:
        """Incarnation, state, the rest: each is loaded before what is complete by then (ikc_layout.h)."""
        view = self.partition(index).inner("status")
        return Status(
            incarnation=view.load("incarnation"),
            state=_named(self._states, view.load("state")),
            answered=view.load("answered"),
            answer=_named(self._results, view.load("answer")),
            heartbeat=view.load("heartbeat"),
            cpus_online=view.load("cpus_online"),
            tsc_khz=view.load("tsc_khz"),
            entry_ns=view.load("entry_ns"),
            ready_ns=view.load("ready_ns"),
            report_valid=view.load("report_valid") == 1,
            panic_cpu=view.load("panic_cpu"),
            panic_text=printable(view.copy("panic_text", 0, view.load("panic_length"))),
            use=Use(*map(view.load, Use._fields)) if view.load("memory_bytes") else None,
        )

    def report(self, index: int) -> Report | None:
        """None until the kernel has completed its report."""
        partition = self.partition(index)
        if partition.inner("status").load("report_valid") != 1:
            return None
        view = partition.inner("report")
        cpus = min(view.load("cpu_count"), self.layout.constant("IKC_REPORT_CPUS_MAX"))
        ranges = min(view.load("range_count"), self.layout.constant("IKC_REPORT_RANGES_MAX"))
        nodes = min(view.load("node_count"), self.layout.constant("IKC_REPORT_NODES_MAX"))
        return Report(
            tuple(
                (cpu.load("apic_id"), cpu.load("node"))
                for cpu in (view.inner("cpus", index) for index in range(cpus))
            ),
            tuple(
                (range_.load("base"), range_.load("size"), range_.load("node"))
                for range_ in (view.inner("ranges", index) for index in range(ranges))
            ),
            view.matrix("distances", nodes),
            view.matrix("latency_ns", nodes),
            view.matrix("bandwidth_mb", nodes),
        )

    def link_state(self, from_: int, to: int) -> str:
        """State of the end that `from_` keeps towards `to`; DOWN if dead, or silent in this life so far."""
        mailbox = self.mailbox(from_)
        half = self.half(from_, to)
        if not mailbox.alive or half.load("lives") >> 48 != mailbox.incarnation & 0xFFFF:
            return "DOWN"
        return _named(self._link_states, half.load("state"))

    def lives(self, from_: int, to: int) -> tuple[int, int]:
        """The generation of this end, and that of the other end which it has adopted; 0 for none."""
        lives = self.half(from_, to).load("lives")
        return lives >> 32, lives & 0xFFFF_FFFF

    def traffic(self, from_: int, to: int) -> Traffic:
        """What `from_` has counted towards `to`, as it says."""
        half = self.half(from_, to)
        counted = Traffic(*self.words(*half.span("counters")))
        channels = self.words(*half.span("channels"))
        place, stride = self.layout.structs["ikc_channel"], self.layout.structs["ikc_channel"].size // 8

        def of_channels(field: str) -> int:
            return sum(channels[place.fields[field].offset // 8 :: stride])

        return counted._replace(
            sent=counted.sent + of_channels("sent"),
            received=counted.received + of_channels("received"),
            full=counted.full + of_channels("full"),
            doorbells=counted.doorbells + of_channels("doorbells"),
        )


class LogReader:
    """Reads a partition's kernel log from its oldest byte that is left, as ikc_log_read (ikc_log.h) does."""

    def __init__(self, region: Region, index: int) -> None:
        self._log = region.partition(index).inner("log")
        self._size = region.layout.constant("IKC_LOG_SIZE")
        self._at = 0

    def read(self) -> bytes:
        """What was written since the last call; text that was overwritten meanwhile is gone."""
        written = self._log.load("written")
        if self._at > written:
            self._at = 0  # the partition began a new log
        begin = max(self._at, written - self._size)
        text = self._copy(begin, written)
        self._at = written
        oldest = self._log.load("reserved") - self._size
        return text[max(0, oldest - begin) :]

    def _copy(self, begin: int, end: int) -> bytes:
        if begin == end:
            return b""
        first, last = begin % self._size, end % self._size
        if first < last:
            return self._log.copy("data", first, last)
        return self._log.copy("data", first, self._size) + self._log.copy("data", 0, last)


def printable(text: bytes | bytearray) -> str:
    """A guest's text for a person's terminal: lines and tabs stay, other control characters do not."""
    decoded = text.split(b"\0", 1)[0].decode(errors="replace")
    return "".join(c if c.isprintable() or c in "\n\t" else "\N{REPLACEMENT CHARACTER}" for c in decoded)


def _named(names: dict[int, str], value: int) -> str:
    return names.get(value, f"UNKNOWN({value})")
