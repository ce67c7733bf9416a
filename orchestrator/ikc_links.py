# SPDX-License-Identifier: Apache-2.0
"""Both ends of a partition's links as the region has them, with what waits in their rings; and as text.

Every word is a guest's: cursors that make no sense are shown as what they are, and nothing is looked for
between them.
"""

from collections.abc import Iterator, Sequence
from typing import Any

from orchestrator.ikc import Region, View
from orchestrator.ikc_decode import Decoder, generation_text
from orchestrator.ikc_trace import Record

WAITING_SHOWN = 16  # messages of one ring
RINGS = ("control", "data")


class LinkReader:
    """`names` are those of the partitions, by their peer ids."""

    def __init__(self, region: Region, names: Sequence[str]) -> None:
        self._region = region
        self._names = names
        self._layout = region.layout
        self._decoder = Decoder(region.layout, names)
        self._states = self._layout.names("ikc_link_state", "IKC_LINK_")
        self._reasons = self._layout.names("ikc_reset_reason", "IKC_RESET_")
        self._channel_states = self._layout.names("ikc_channel_state", "IKC_CHANNEL_")

    def links(self, index: int) -> list[dict[str, Any]]:
        """Of each peer: `here` is the end that the partition keeps, `there` the peer's."""
        return [
            {"peer": name, "here": self._end(index, peer), "there": self._end(peer, index)}
            for peer, name in enumerate(self._names)
            if peer != index
        ]

    def _end(self, owner: int, peer: int) -> dict[str, Any]:
        half, other = self._region.half(owner, peer), self._region.half(peer, owner)
        lives = half.load("lives")
        counters = self._layout.structs["ikc_counters"].fields
        state, reason = half.load("state"), half.load("reset_reason")
        return {
            "state": self._states.get(state, f"UNKNOWN({state})"),
            "reset_reason": self._reasons.get(reason, f"UNKNOWN({reason})"),
            "generation": _generation(lives >> 32),
            "peer_generation": _generation(lives & 0xFFFF_FFFF),
            "rings": {
                name: self._ring(half, other, kind, name, owner, peer) for kind, name in enumerate(RINGS)
            },
            "counters": {name: half.inner("counters").load(name) for name in counters},
            "channels": list(self._channels(half)),
        }

    def _ring(self, half: View, other: View, kind: int, name: str, owner: int, peer: int) -> dict[str, Any]:
        """The ring in which `owner` sends: its own head, and the tail that its peer has come to."""
        own, theirs = half.inner("cursors", kind), other.inner("cursors", kind)
        head, taken = own.load("head"), theirs.load("tail")
        slots = self._layout.constant(f"IKC_{name.upper()}_SLOTS")
        waiting = (head - taken) % (1 << 32)
        return {
            "head": head,
            "taken": taken,
            "slots": slots,
            "waiting": waiting if waiting <= slots else None,
            "receiver_waits": theirs.load("receiver_waits"),
            "sender_waits": own.load("sender_waits"),
            "messages": [
                self._decoder.decode(record)
                for record in self._messages(half, name, kind, taken, head if waiting <= slots else taken)
            ]
            if owner != peer
            else [],
        }

    def _messages(self, half: View, name: str, kind: int, at: int, head: int) -> Iterator[Record]:
        """Those published and not taken; a slot with another stamp than its own ends the list."""
        slots = self._layout.constant(f"IKC_{name.upper()}_SLOTS")
        data_size = self._layout.constant("IKC_SLOT_DATA")
        for _ in range(WAITING_SHOWN):
            if at == head:
                return
            slot = half.inner(name, at % slots)
            stamp, length = slot.load("stamp"), slot.load("length")
            if stamp & 0xFFFF_FFFF != (at + 1) & 0xFFFF_FFFF:
                return
            shown = slot.copy("data", 0, min(length, self._layout.constant("IKC_TRACE_DATA")))
            yield Record(
                number=at,
                time_ns=0,
                generation=stamp >> 32,
                length=length,
                peer=0,
                ring=kind,
                direction=0,
                to_port=slot.load("to_port"),
                from_port=slot.load("from_port"),
                data=shown,
            )
            used = max(1, -(-length // data_size))
            at = (at + used) & 0xFFFF_FFFF
            if (head - at) % (1 << 32) > slots:
                return

    def _channels(self, half: View) -> Iterator[dict[str, Any]]:
        for number in range(self._layout.constant("IKC_CHANNELS")):
            channel = half.inner("channels", number)
            state = channel.load("state")
            name = self._channel_states.get(state, f"UNKNOWN({state})")
            if name != "FREE":
                fields = ("life", "to_port", "from_port", "packet_size", "vector", "sent", "received", "full")
                yield {"channel": number, "state": name} | {field: channel.load(field) for field in fields}


def _generation(word: int) -> str:
    return generation_text(word) if word else "-"


def as_lines(name: str, links: Sequence[dict[str, Any]]) -> Iterator[str]:
    """Each link: both ends, their rings, what waits in them, counters, channels."""
    for link in links:
        yield f"{name} <-> {link['peer']}"
        for owner, key in ((name, "here"), (link["peer"], "there")):
            end = link[key]
            why = "" if end["reset_reason"] == "NONE" else f", last reset: {end['reset_reason']}"
            yield (
                f"  {owner}: {end['state']}, generation {end['generation']}, "
                f"knows {end['peer_generation']} of its peer{why}"
            )
            for ring_name, ring in end["rings"].items():
                yield f"    {ring_name}: {_ring_in_words(ring)}"
                for message in ring["messages"]:
                    ports = f"{message['from_port']} > {message['to_port']}" if message["to_port"] else ""
                    yield (
                        f"      #{message['number']}  {ports:16}  {message['length']:5} B  "
                        f"{message['says']:20}  {message['data'][:64]}"
                    ).rstrip()
            counted = ", ".join(f"{count} {what}" for what, count in end["counters"].items() if count)
            yield f"    counted: {counted or 'nothing'}"
            for channel in end["channels"]:
                words = ", ".join(f"{key} {value}" for key, value in channel.items() if key != "channel")
                yield f"    channel {channel['channel']}: {words}"
        yield ""


def _ring_in_words(ring: dict[str, Any]) -> str:
    waits = [what for what, key in (("receiver", "receiver_waits"), ("sender", "sender_waits")) if ring[key]]
    asleep = f"; {' and '.join(waits)} asleep, to be rung" if waits else ""
    cursors = f"head {ring['head']}, taken {ring['taken']}"
    if ring["waiting"] is None:
        return f"{cursors}: no ring of {ring['slots']} slots can be so{asleep}"
    return f"{ring['waiting']} of {ring['slots']} slots wait ({cursors}){asleep}"
