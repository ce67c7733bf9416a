# SPDX-License-Identifier: Apache-2.0
"""Links as the region has them: decoded, and decoded to something whatever stands there."""

import mmap
from collections.abc import Iterator
from random import Random

import pytest

from orchestrator.ikc import Identity, Region
from orchestrator.ikc_layout import Layout, region_size
from orchestrator.ikc_links import LinkReader, as_lines

NAMES = ["host", "lwk0"]


@pytest.fixture
def region(layout: Layout) -> Iterator[Region]:
    with mmap.mmap(-1, region_size(layout, 2)) as memory:
        made = Region(memory, layout)
        made.format([Identity(name, "LWK", False, 1, ()) for name in NAMES], 1)
        yield made
        made.close()


def test_ends_rings_and_what_waits_in_them(region: Region, layout: Layout) -> None:
    ours, theirs = region.half(1, 0), region.half(0, 1)
    ours.store("lives", 0x3_0002 << 32 | 0x1_0001)
    ours.store("state", layout.enums["ikc_link_state"]["IKC_LINK_RUN"])
    theirs.store("reset_reason", layout.enums["ikc_reset_reason"]["IKC_RESET_PEER_DEAD"])
    # Three messages of which the first was taken; the second takes two slots.
    for at, length in ((0, 4), (1, 200), (3, 5)):
        slot = ours.inner("data", at)
        slot.store("stamp", 0x3_0002 << 32 | at + 1)
        slot.store("length", length)
        slot.store("to_port", layout.enums["ikc_port"]["IKC_PORT_ECHO"])
        slot.store("from_port", 300)
        slot.store_copy("data", b"hello")
    ours.inner("cursors", 1).store("head", 4)
    theirs.inner("cursors", 1).store("tail", 1)
    theirs.inner("cursors", 1).store("receiver_waits", 1)
    ours.inner("counters").store("sent", 3)
    channel = ours.inner("channels", 5)
    channel.store("state", layout.enums["ikc_channel_state"]["IKC_CHANNEL_OPEN"])
    channel.store("to_port", 301)

    (link,) = LinkReader(region, NAMES).links(1)
    assert link["peer"] == "host"
    here = link["here"]
    assert (here["state"], here["generation"], here["peer_generation"]) == ("RUN", "3.2", "1.1")
    assert (link["there"]["state"], link["there"]["reset_reason"]) == ("RESET", "PEER_DEAD")
    ring = here["rings"]["data"]
    assert (ring["head"], ring["taken"], ring["waiting"], ring["slots"]) == (4, 1, 3, 256)
    assert [(each["number"], each["length"], each["says"]) for each in ring["messages"]] == [
        (1, 200, "ECHO this"),
        (3, 5, "ECHO this"),
    ]
    assert [(each["channel"], each["to_port"]) for each in here["channels"]] == [(5, 301)]
    text = "\n".join(as_lines("lwk0", [link]))
    assert "lwk0: RUN, generation 3.2, knows 1.1 of its peer" in text
    assert "data: 3 of 256 slots wait (head 4, taken 1); receiver asleep, to be rung" in text
    assert "counted: 3 sent" in text


def test_cursors_that_cannot_be_are_shown_and_not_followed(region: Region) -> None:
    region.half(1, 0).inner("cursors", 1).store("head", 5000)
    (link,) = LinkReader(region, NAMES).links(1)
    ring = link["here"]["rings"]["data"]
    assert (ring["waiting"], ring["messages"]) == (None, [])
    assert "head 5000, taken 0: no ring of 256 slots can be so" in "\n".join(as_lines("lwk0", [link]))


@pytest.mark.parametrize("seed", range(8))
def test_nonsense_everywhere_is_told_somehow(region: Region, seed: int) -> None:
    random = Random(seed)
    for from_, to in ((0, 1), (1, 0)):
        half = region.half(from_, to)
        begin = half.span("lives")[0]
        end = half.span("channel_slots")[0]
        region.store_copy(begin, random.randbytes(end - begin))
    links = LinkReader(region, NAMES).links(0)
    assert "host <-> lwk0" in "\n".join(as_lines("host", links))
