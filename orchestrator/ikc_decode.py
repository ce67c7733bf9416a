# SPDX-License-Identifier: Apache-2.0
"""What a traced message says, in words; pure. Whatever it holds, there is a line for it."""

from collections.abc import Sequence
from typing import Any

from orchestrator.ikc_layout import Layout
from orchestrator.ikc_trace import Record

BYTES_SHOWN = 16
TEXT_SHOWN = 40
CHANNEL = 2  # the first of the rings that belong to channels (struct ikc_trace_record)


class Decoder:
    """`names` are those of the partitions, by their peer ids."""

    def __init__(self, layout: Layout, names: Sequence[str]) -> None:
        self._layout = layout
        self._names = names
        self._ports = layout.names("ikc_port", "IKC_PORT_")
        self._control = layout.names("ikc_control", "IKC_CONTROL_")
        self._packets = layout.names("ikc_packet", "IKC_PACKET_")
        self._directions = layout.names("ikc_trace_direction", "IKC_TRACE_")
        self._streams = layout.names("ikc_stream_kind", "IKC_STREAM_")
        self._faults = layout.names("ikc_stream_fault", "IKC_STREAM_")

    def decode(self, record: Record) -> dict[str, Any]:
        """The record with its numbers as names, and `says`, what is in it."""
        on_data = record.ring == self._layout.enums["ikc_ring_kind"]["IKC_RING_DATA"]
        return {
            "number": record.number,
            "time_s": record.time_ns / 1e9,
            "direction": self._directions.get(record.direction, str(record.direction)),
            "peer": self._name(record.peer),
            "ring": self._ring(record.ring),
            "to_port": self._port(record.to_port) if on_data else None,
            "from_port": self._port(record.from_port) if on_data else None,
            "length": record.length,
            "generation": generation_text(record.generation),
            "says": self._says(record, on_data),
            "data": record.data.hex(),
        }

    def line(self, record: Record) -> str:
        """`time  -> peer  ring  from port > to port  length  what it says  first bytes`."""
        found = self.decode(record)
        arrow = {"SENT": "->", "TAKEN": "<-"}.get(found["direction"], f"?{found['direction']}")
        ports = f"{found['from_port']} > {found['to_port']}" if found["to_port"] else ""
        shown = _shown(record)
        return (
            f"{found['time_s']:12.6f}  {arrow} {found['peer']:8}  {found['ring']:10}  {ports:16}"
            f"  {found['length']:5} B  {found['says']:28}  {shown}"
        ).rstrip()

    def _name(self, peer: int) -> str:
        return self._names[peer] if peer < len(self._names) else str(peer)

    def _ring(self, ring: int) -> str:
        kinds = self._layout.names("ikc_ring_kind", "IKC_RING_")
        if ring in kinds:
            return kinds[ring].lower()
        channel = ring - CHANNEL
        return f"channel {channel}" if channel < self._layout.constant("IKC_CHANNELS") else f"ring {ring}"

    def _port(self, port: int) -> str:
        """Those of programs have numbers; the enumeration has where they begin, which is no name."""
        first = self._layout.enums["ikc_port"]["IKC_PORT_FIRST_USER"]
        return self._ports.get(port, str(port)) if port < first else str(port)

    # ---- what is in it ----

    def _says(self, record: Record, on_data: bool) -> str:
        if on_data:
            return self._service(record)
        if record.ring >= CHANNEL:
            return self._packet(record)
        kind = self._control.get(record.to_port, f"type {record.to_port}")
        refusal = self._layout.unpack("ikc_refusal", record.data) if kind == "REFUSED" else None
        if not refusal:
            return kind
        return f"{kind} {self._port(refusal['from_port'])} > {self._port(refusal['to_port'])}"

    def _service(self, record: Record) -> str:
        ports = self._layout.enums["ikc_port"]
        if ports["IKC_PORT_STREAM"] in (record.to_port, record.from_port):
            return self._stream(record.data)
        if record.to_port == ports["IKC_PORT_ECHO"]:
            return "ECHO this"
        return "ECHO answer" if record.from_port == ports["IKC_PORT_ECHO"] else ""

    def _packet(self, record: Record) -> str:
        kind = self._packets.get(record.to_port, f"packet {record.to_port}")
        if kind == "COPIED":
            # Its ports were told when the channel was opened; but the words of a stream are easily known.
            return self._stream(record.data)
        reference = self._layout.unpack("ikc_reference", record.data) if kind == "LENT" else None
        if not reference:
            return kind
        return f"LENT {reference['length']} B at {reference['offset']:#x}"

    def _stream(self, data: bytes) -> str:
        kind = self._streams.get(int.from_bytes(data[:4], "little"), "")
        if kind == "DATA":
            words = self._layout.unpack("ikc_stream_data", data)
            return f"DATA #{words['sequence']}" if words else kind
        if kind == "REPORT":
            words = self._layout.unpack("ikc_stream_report", data)
            return self._report(words) if words else kind
        words = self._layout.unpack("ikc_stream_request", data) if kind else {}
        if not words:
            return kind
        to = f" to {self._name(words['partition'])}" if kind == "RELAY" else ""
        return f"{kind} {words['count']} seed {words['seed']}{to}"

    def _report(self, words: dict[str, int]) -> str:
        fault = self._faults.get(words["fault"], str(words["fault"]))
        at = "" if fault == "FINE" else f" at #{words['at']}"
        return f"REPORT {fault}{at}, {words['received']} taken"


def generation_text(generation: int) -> str:
    """Incarnation and life."""
    return f"{generation >> 16}.{generation & 0xFFFF}"


def _shown(record: Record) -> str:
    """The first bytes: as text if they are, else as numbers."""
    text = record.data[:TEXT_SHOWN]
    if text and all(0x20 <= byte < 0x7F for byte in text.rstrip(b"\n")):
        shown, rest = repr(text.decode()), record.length > len(text)
    else:
        shown, rest = record.data[:BYTES_SHOWN].hex(" "), record.length > BYTES_SHOWN
    return f"{shown} ..." if rest and shown else shown
