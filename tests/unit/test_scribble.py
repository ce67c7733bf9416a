# SPDX-License-Identifier: Apache-2.0
"""Nonsense lands on what the partition may write, on all of that, and on nothing else."""

import mmap
from collections.abc import Iterator

import pytest

from orchestrator.ikc import Identity, Region
from orchestrator.ikc_layout import Layout, region_size
from orchestrator.scribble import Scribbler, Span, spans
from orchestrator.scribble_groups import ALL, GROUPS, OF_HALF, OF_PARTITION

PARTITIONS = 3
VICTIM, PEERS = 1, (0, 2)


@pytest.fixture
def memory(layout: Layout) -> Iterator[mmap.mmap]:
    with mmap.mmap(-1, region_size(layout, PARTITIONS)) as mapping:
        yield mapping


@pytest.fixture
def region(memory: mmap.mmap, layout: Layout) -> Iterator[Region]:
    region = Region(memory, layout)
    region.format([Identity(f"p{i}", "LWK", i == 0, 1, ()) for i in range(PARTITIONS)], run_id=7)
    yield region
    region.close()


def test_groups_are_all_that_a_partition_writes(layout: Layout) -> None:
    of_half = [field for fields in OF_HALF.values() for field in fields]
    assert sorted(of_half) == sorted(name for name in layout.structs["ikc_half"].fields if "pad" not in name)
    of_partition = {field for fields in OF_PARTITION.values() for field in fields}
    fields = {name for name in layout.structs["ikc_partition"].fields if "pad" not in name}
    assert of_partition == fields - {"identity", "mailbox"}


def test_spans_of_a_group(region: Region, layout: Layout) -> None:
    handshake = spans(region, VICTIM, "handshake", [2])
    begin = region.half(VICTIM, 2).span("lives")[0]
    assert handshake[0] == Span(begin, begin + 8)
    assert handshake[1].begin == begin + 8
    assert len(spans(region, VICTIM, "handshake", PEERS)) == 2 * len(handshake)
    (slots,) = spans(region, VICTIM, "channel-slots", [0])
    assert slots.end - slots.begin == 32 * 64 * layout.structs["ikc_slot"].size
    (status,) = spans(region, VICTIM, "status", PEERS)
    assert status.end - status.begin == layout.structs["ikc_status"].size
    assert len(spans(region, VICTIM, ALL, PEERS)) > 20


@pytest.mark.parametrize("group", GROUPS)
def test_nothing_else_is_touched(region: Region, memory: mmap.mmap, group: str) -> None:
    before = bytes(memory)
    allowed = spans(region, VICTIM, group, PEERS)
    scribbler = Scribbler(region, allowed, seed=1)
    for _ in range(3000):
        scribbler.scribble()
    after = bytes(memory)
    assert after != before
    at = 0
    for span in sorted(allowed):
        assert after[at : span.begin] == before[at : span.begin]
        at = span.end
    assert after[at:] == before[at:]


def test_every_byte_of_a_small_group_is_reached(region: Region, memory: mmap.mmap) -> None:
    allowed = spans(region, VICTIM, "handshake", PEERS)
    scribbler = Scribbler(region, allowed, seed=2)
    touched = set()
    for _ in range(5000):
        before = [memory[span.begin : span.end] for span in allowed]
        scribbler.scribble()
        for span, old in zip(allowed, before, strict=True):
            new = memory[span.begin : span.end]
            touched |= {span.begin + i for i in range(len(old)) if old[i] != new[i]}
    assert touched == {byte for span in allowed for byte in range(*span)}


def test_same_seed_writes_the_same(region: Region, memory: mmap.mmap) -> None:
    def written(seed: int) -> bytes:
        allowed = spans(region, VICTIM, ALL, PEERS)
        for span in allowed:
            memory[span.begin : span.end] = bytes(span.end - span.begin)
        scribbler = Scribbler(region, allowed, seed)
        for _ in range(2000):
            scribbler.scribble()
        return b"".join(memory[span.begin : span.end] for span in allowed)

    first = written(5)
    assert written(6) != first
    assert written(5) == first


def test_values_are_mixed(region: Region) -> None:
    """Of a word that held a generation: some are near it, some another generation, some small, some any."""
    lives = region.half(VICTIM, 0).span("lives")[0]
    life = (3 << 48) | (2 << 32) | (1 << 16) | 1
    scribbler = Scribbler(region, [Span(lives, lives + 8)], seed=4)
    seen = set()
    for _ in range(2000):
        region.store("u64", lives, life)
        scribbler.scribble()
        seen.add(region.load("u64", lives))
    assert {life - 1, life + 1, life + (1 << 32), life - (1 << 48), (1 << 64) - 1} <= seen
    assert any(value < 16 for value in seen)
    assert len(seen) > 300
