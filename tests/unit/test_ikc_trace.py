# SPDX-License-Identifier: Apache-2.0
"""Traces in a made-up region: what was written is read once, in order, and what was missed is counted."""

import mmap
from collections.abc import Iterator

import pytest

from orchestrator.ikc import Identity, Region, View
from orchestrator.ikc_layout import Layout, region_size
from orchestrator.ikc_trace import READ_MAX, Lost, Record, TraceReader

LWK = 1


@pytest.fixture
def region(layout: Layout) -> Iterator[Region]:
    with mmap.mmap(-1, region_size(layout, 2)) as memory:
        region = Region(memory, layout)
        region.format([Identity(f"p{i}", "LWK", i == 0, 1, ()) for i in range(2)], run_id=7)
        yield region
        region.close()


@pytest.fixture
def trace(region: Region) -> View:
    return region.partition(LWK).inner("trace")


def write(region: Region, trace: View, count: int = 1, data: bytes = b"payload") -> None:
    """As ikc_trace_write does (ikc_trace.h)."""
    for _ in range(count):
        number = trace.load("written")
        record = trace.inner("records", number % region.layout.constant("IKC_TRACE_RECORDS"))
        record.store("stamp", 0)
        record.store("time_ns", number * 1000)
        record.store("generation", 0x10001)
        record.store("length", len(data))
        record.store("to_port", 300)
        record.store_copy("data", data[: region.layout.constant("IKC_TRACE_DATA")])
        record.store("stamp", number + 1)
        trace.store("written", number + 1)


def numbers(found: list[Record | Lost]) -> list[int]:
    return [each.number for each in found if isinstance(each, Record)]


def read_all(reader: TraceReader) -> list[Record | Lost]:
    """Until there is no more."""
    found = [each for piece in reader.rest() for each in piece]
    assert not reader.more
    return found


def test_each_is_read_once_and_whole(region: Region, trace: View) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    assert reader.read() == []
    write(region, trace, 2, b"one and two")
    one, two = reader.read()
    assert isinstance(one, Record)
    assert isinstance(two, Record)
    assert one == Record(0, 0, 0x10001, 11, 0, 0, 0, 300, 0, b"one and two")
    assert (two.number, two.time_ns) == (1, 1000)
    assert Record.from_json(one.as_json()) == one
    assert reader.read() == []


def test_only_the_first_bytes_of_a_long_message_are_there(region: Region, trace: View) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    write(region, trace, data=bytes(range(200)))
    (record,) = reader.read()
    assert isinstance(record, Record)
    assert (record.length, record.data) == (200, bytes(range(80)))


def test_from_now_skips_what_was_and_else_the_oldest_that_is_left_comes_first(
    region: Region, trace: View
) -> None:
    write(region, trace, 1500)
    assert TraceReader(region, LWK, from_now=True).read() == []
    found = read_all(TraceReader(region, LWK, from_now=False))
    assert len(found) == 1024
    assert numbers(found) == list(range(1500 - 1024, 1500))


def test_many_are_read_in_pieces(region: Region, trace: View) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    write(region, trace, READ_MAX + 10)
    assert [len(reader.read()) for _ in range(3)] == [READ_MAX, 10, 0]


def test_overwritten_are_counted(region: Region, trace: View) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    write(region, trace, 1024 + 77)
    found = read_all(reader)
    assert found[0] == Lost(77)
    assert numbers(found) == list(range(77, 1024 + 77))


@pytest.mark.parametrize("stamp", [0, 3, 1 << 63])
def test_one_that_is_being_written_is_passed_over_and_counted(
    region: Region, trace: View, stamp: int
) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    write(region, trace, 3)
    trace.inner("records", 1).store("stamp", stamp)
    found = reader.read()
    assert found[1] == Lost(1)
    assert numbers(found) == [0, 2]


@pytest.mark.parametrize("written", [(1 << 64) - 1, 1 << 40, 0])
def test_nonsense_in_the_count_costs_no_more_than_a_ring_full(
    region: Region, trace: View, written: int
) -> None:
    write(region, trace, 10)
    reader = TraceReader(region, LWK, from_now=True)
    trace.store("written", written)
    for _ in range(8):
        assert len(reader.read()) <= READ_MAX
    trace.store("written", 10)
    reader.read()
    write(region, trace)
    assert numbers(reader.read()) == [10]


def test_length_beyond_the_record_is_cut(region: Region, trace: View) -> None:
    reader = TraceReader(region, LWK, from_now=True)
    write(region, trace)
    trace.inner("records", 0).store("length", 0xFFFF_FFFF)
    (record,) = reader.read()
    assert isinstance(record, Record)
    assert len(record.data) == 80
