# SPDX-License-Identifier: Apache-2.0
import struct
from random import Random

import pytest

from orchestrator.ikc_decode import Decoder
from orchestrator.ikc_layout import Layout
from orchestrator.ikc_trace import Record

CONTROL, DATA, CHANNEL_3 = 0, 1, 5
STREAM, ECHO, EPHEMERAL = 2, 1, 33000


@pytest.fixture
def decoder(layout: Layout) -> Decoder:
    return Decoder(layout, ["host", "lwk0", "lwk1"])


def message(
    ring: int,
    to_port: int,
    data: bytes = b"",
    from_port: int = 0,
    length: int | None = None,
    direction: int = 0,
) -> Record:
    size = len(data) if length is None else length
    return Record(7, 1_500_000_000, 0x2_0003, size, 1, ring, direction, to_port, from_port, data)


def stream(kind: str, *words: int, layout: Layout) -> bytes:
    return struct.pack(f"<{1 + len(words)}I", layout.enums["ikc_stream_kind"][f"IKC_STREAM_{kind}"], *words)


def test_names_of_everything(decoder: Decoder) -> None:
    found = decoder.decode(message(DATA, ECHO, b"hello", EPHEMERAL))
    assert found == {
        "number": 7,
        "time_s": 1.5,
        "direction": "SENT",
        "peer": "lwk0",
        "ring": "data",
        "to_port": "ECHO",
        "from_port": "33000",
        "length": 5,
        "generation": "2.3",
        "says": "ECHO this",
        "data": b"hello".hex(),
    }
    assert decoder.decode(message(CONTROL, 1))["to_port"] is None


def test_line(decoder: Decoder) -> None:
    line = decoder.line(message(DATA, EPHEMERAL, b"hello", ECHO, direction=1))
    assert line.split()[:6] == ["1.500000", "<-", "lwk0", "data", "ECHO", ">"]
    assert line.split()[6:] == ["33000", "5", "B", "ECHO", "answer", "'hello'"]
    line = decoder.line(message(CHANNEL_3, 0, bytes(80), length=4000))
    assert line.split()[:5] == ["1.500000", "->", "lwk0", "channel", "3"]
    assert line.endswith(" 00 00 ...")


@pytest.mark.parametrize(
    ("to_port", "data", "says"),
    [
        (1, b"x" * 16, "PING"),
        (2, b"", "PONG"),
        (3, struct.pack("<HHI", 300, 33001, 0), "REFUSED 33001 > 300"),
        (3, struct.pack("<HHI", 2, 1, 0), "REFUSED ECHO > STREAM"),
        (3, b"short", "REFUSED"),
        (99, b"", "type 99"),
    ],
)
def test_control_messages(decoder: Decoder, to_port: int, data: bytes, says: str) -> None:
    assert decoder.decode(message(CONTROL, to_port, data))["says"] == says


def test_streams(decoder: Decoder, layout: Layout) -> None:
    def says(*words: object) -> str:
        data = stream(str(words[0]), *(int(str(word)) for word in words[1:]), layout=layout)
        return str(decoder.decode(message(DATA, STREAM, data, EPHEMERAL))["says"])

    assert says("SINK", 5, 100, 0) == "SINK 100 seed 5"
    assert says("SOURCE", 5, 100, 0) == "SOURCE 100 seed 5"
    assert says("RELAY", 5, 100, 2) == "RELAY 100 seed 5 to lwk1"
    assert says("RELAY", 5, 100, 9) == "RELAY 100 seed 5 to 9"
    assert says("DATA", 41, 0, 0) == "DATA #41"
    assert says("REPORT", 0, 100, 100, 0, 0) == "REPORT FINE, 100 taken"
    assert says("REPORT", 1, 17, 17, 0, 0) == "REPORT OUT_OF_ORDER at #17, 17 taken"
    assert says("REPORT", 77, 1, 2, 0, 0) == "REPORT 77 at #2, 1 taken"
    assert says("SINK") == "SINK", "too short"
    answer = stream("DATA", 3, 0, 0, layout=layout)
    assert decoder.decode(message(DATA, EPHEMERAL, answer, STREAM))["says"] == "DATA #3"
    # Of a program's own ports nothing is known.
    assert decoder.decode(message(DATA, 300, answer, EPHEMERAL))["says"] == ""


def test_channels(decoder: Decoder, layout: Layout) -> None:
    lent = message(CHANNEL_3, 1, struct.pack("<QII", 0x8000, 70000, 0))
    assert decoder.decode(lent)["says"] == "LENT 70000 B at 0x8000"
    assert decoder.decode(message(CHANNEL_3, 1, b"no"))["says"] == "LENT"
    copied = message(CHANNEL_3, 0, stream("DATA", 12, 0, 0, layout=layout))
    assert decoder.decode(copied)["says"] == "DATA #12"
    assert decoder.decode(message(CHANNEL_3, 0, b"other"))["says"] == ""
    assert decoder.decode(message(CHANNEL_3, 8))["says"] == "packet 8"


def test_every_nonsense_has_a_line(decoder: Decoder) -> None:
    random = Random(1)
    for _ in range(2000):
        peer, ring, to, from_, way = (
            random.choice((random.randrange(6), random.getrandbits(16))) for _ in range(5)
        )
        data = random.randbytes(random.randrange(81))
        time, life, length = random.getrandbits(64), random.getrandbits(32), random.getrandbits(32)
        record = Record(1, time, life, length, peer, ring, way, to, from_, data)
        line = decoder.line(record)
        assert line.isprintable()
        assert len(line) < 240
