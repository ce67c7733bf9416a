# SPDX-License-Identifier: Apache-2.0
"""The commands `ikc ...`: links, rings and channels in the shared region (docs/ikc-protocol.md)."""

from collections.abc import Iterator
from typing import NamedTuple

import gdb

from orchestrator.in_gdb import reading

BYTES_SHOWN = 16


class Region(NamedTuple):
    """The region as one kernel has mapped it, and the id of its partition there."""

    base: int
    partitions: int
    halves: int
    size: int
    own: int

    def partition(self, index: int) -> gdb.Value:
        return _at(self.partitions, "ikc_partition", index)

    def half(self, writer: int, reader: int) -> gdb.Value:
        """What one partition writes for another."""
        return _at(self.halves, "ikc_half", writer * self.size + reader)

    def name(self, index: int) -> str:
        return reading.c_string(self.partition(index)["identity"]["name"])

    def find(self, name: str) -> int:
        """The id of a partition, by its name or as a number. Raises GdbError with the names there are."""
        names = [self.name(index) for index in range(self.size)]
        if name in names:
            return names.index(name)
        if name.isdigit() and int(name) < self.size:
            return int(name)
        raise gdb.GdbError(f"no partition {name!r} in the region: there are {', '.join(names)}")

    def peers(self) -> list[int]:
        return [index for index in range(self.size) if index != self.own]


def _at(table: int, name: str, index: int) -> gdb.Value:
    kind = gdb.lookup_type(f"struct {name}")
    return gdb.Value(table + index * kind.sizeof).cast(kind.pointer()).dereference()


def region() -> Region:
    """Of the LWK, or of Linux with ikc.ko. Raises GdbError if the kernel has not found it yet."""
    try:
        found, own = gdb.parse_and_eval("ikc_local"), "id"
        present = bool(int(found["partition"]))
    except gdb.error:
        try:
            pointer, own = gdb.parse_and_eval("window_region"), "own_id"
        except gdb.error:
            raise gdb.GdbError("there are symbols neither of the LWK nor of ikc.ko") from None
        present = bool(int(pointer))
        found = pointer.dereference()
    if not present:
        raise gdb.GdbError("this kernel has not found the IKC region (yet)")
    words = found["map"]
    base = int(words["base"])
    return Region(
        base,
        base + int(words["partitions"]),
        base + int(words["halves"]),
        int(words["partition_count"]),
        int(found[own]),
    )


def _life(generation: int) -> str:
    """Incarnation and count, as `enclave ikc trace` writes them."""
    return f"{generation >> 16}.{generation & 0xFFFF}"


def _named(number: gdb.Value, enum: str, prefix: str) -> str:
    return reading.enumerators(enum, prefix).get(int(number), f"?{int(number)}")


class _Ikc(gdb.Command):
    """Messages between kernels: links, rings and channels, as they stand in the shared region."""

    def __init__(self) -> None:
        super().__init__("ikc", gdb.COMMAND_DATA, prefix=True)


class _Links(reading.Command):
    """ikc links: both ends of the link to each partition, and what has passed this end."""

    name = "ikc links"

    def run(self, argument: str) -> None:
        found = region()
        states = ("PEER", "OURS", "THEIRS", "LIFE", "ADOPTED")
        header = (*states, "SENT", "TAKEN", "FULL", "RUNG", "RESETS", "WHY")
        reading.table(header, [self._row(found, peer) for peer in found.peers()])

    def _row(self, found: Region, peer: int) -> list[object]:
        ours, theirs = found.half(found.own, peer), found.half(peer, found.own)
        lives, counted = int(ours["lives"]), ours["counters"]
        states = [_named(half["state"], "ikc_link_state", "IKC_LINK_") for half in (ours, theirs)]
        counts = [int(counted[field]) for field in ("sent", "received", "full", "doorbells", "resets")]
        why = _named(ours["reset_reason"], "ikc_reset_reason", "IKC_RESET_")
        return [found.name(peer), *states, _life(lives >> 32), _life(lives & 0xFFFFFFFF), *counts, why]


class Ring(NamedTuple):
    """One direction. The cursors are those of its two ends."""

    name: str
    slots: gdb.Value
    sender: gdb.Value
    receiver: gdb.Value

    @property
    def used(self) -> int:
        return (int(self.sender["head"]) - int(self.receiver["tail"])) % (1 << 32)

    @property
    def slot_count(self) -> int:
        first, last = self.slots.type.range()
        return int(last - first + 1)


def rings(found: Region, writer: int, reader: int) -> Iterator[Ring]:
    """From one partition to another: control and data."""
    half, back = found.half(writer, reader), found.half(reader, writer)
    for number, name in sorted(reading.enumerators("ikc_ring_kind", "IKC_RING_").items()):
        yield Ring(name.lower(), half[name.lower()], half["cursors"][number], back["cursors"][number])


class _Rings(reading.Command):
    """ikc rings PEER: control and data ring in both directions, and the messages that wait in them."""

    name = "ikc rings"

    def run(self, argument: str) -> None:
        found = region()
        peer = _peer(found, argument, "ikc rings")
        both = [
            (f"{found.name(writer)} -> {found.name(reader)}", ring)
            for writer, reader in ((found.own, peer), (peer, found.own))
            for ring in rings(found, writer, reader)
        ]
        header = ("RING", "FROM -> TO", "HEAD", "TAIL", "USED", "OF", "RECEIVER", "SENDER")
        reading.table(header, [_ring_row(way, ring) for way, ring in both])
        for way, ring in both:
            for line in _waiting(ring):
                gdb.write(f"{ring.name} {way}: {line}\n")


def _ring_row(way: str, ring: Ring) -> list[object]:
    ends = [
        "waits" if int(cursor[flag]) else "awake"
        for cursor, flag in ((ring.receiver, "receiver_waits"), (ring.sender, "sender_waits"))
    ]
    head, tail = int(ring.sender["head"]), int(ring.receiver["tail"])
    return [ring.name, way, head, tail, ring.used, ring.slot_count, *ends]


def _waiting(ring: Ring) -> Iterator[str]:
    """Each message that was sent and not taken; what a peer wrote may be nonsense, and is shown as it is."""
    at, left = int(ring.receiver["tail"]), ring.used
    if left > ring.slot_count:
        yield f"cursors make no sense: {left} slots of {ring.slot_count}"
        return
    while left > 0:
        slot = ring.slots[at % ring.slot_count]
        length = int(slot["length"])
        data = reading.memory(
            reading.address(slot["data"]), min(length, BYTES_SHOWN, slot["data"].type.sizeof)
        )
        ports = f"port {int(slot['from_port'])} > {int(slot['to_port'])}"
        yield f"{ports}, {length} bytes: {data.hex(' ')}"
        slots = max(1, -(-length // slot["data"].type.sizeof))
        at, left = at + slots, left - slots


class _Channels(reading.Command):
    """ikc channels [PEER]: the channels that are or were in use, both ends, and what has passed this end."""

    name = "ikc channels"

    def run(self, argument: str) -> None:
        found = region()
        peers = [_peer(found, argument, "ikc channels")] if argument else found.peers()
        rows = [row for peer in peers for row in self._rows(found, peer)]
        if rows:
            header = (
                "PEER",
                "CHANNEL",
                "OURS",
                "THEIRS",
                "PORTS",
                "VECTOR",
                "PACKET",
                "SENT",
                "TAKEN",
                "FULL",
            )
            reading.table(header, rows)
        else:
            gdb.write("no channel was opened\n")

    def _rows(self, found: Region, peer: int) -> Iterator[list[object]]:
        ours, theirs = (
            half["channels"] for half in (found.half(found.own, peer), found.half(peer, found.own))
        )
        first, last = ours.type.range()
        for index in range(first, last + 1):
            ends = (ours[index], theirs[index])
            if all(int(end["life"]) == 0 and int(end["state"]) == 0 for end in ends):
                continue
            states = [_named(end["state"], "ikc_channel_state", "IKC_CHANNEL_") for end in ends]
            opener = ends[0] if int(ends[0]["to_port"]) else ends[1]
            ports = f"{int(opener['from_port'])} > {int(opener['to_port'])}"
            counts = [int(ends[0][field]) for field in ("sent", "received", "full")]
            about = [int(ends[0]["vector"]), int(opener["packet_size"]), *counts]
            yield [found.name(peer), index, *states, ports, *about]


def _peer(found: Region, argument: str, command: str) -> int:
    if not argument:
        names = ", ".join(found.name(peer) for peer in found.peers())
        raise gdb.GdbError(f"{command} PEER: which of {names}?")
    peer = found.find(argument)
    if peer == found.own:
        raise gdb.GdbError(f"{argument} is this partition itself")
    return peer


def register() -> None:
    for command in (_Ikc, _Links, _Rings, _Channels):
        command()
