# SPDX-License-Identifier: Apache-2.0
from collections.abc import Iterator
from contextlib import suppress
from random import Random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from orchestrator.guest_memory import GuestMemory, Range, Unmapped
from tests.unit.guest import SIZE, Ram, ram

HIGH = 0xFFFF_FFFF_8020_0000


@pytest.fixture
def guest() -> Iterator[Ram]:
    with ram() as made:
        yield made


def test_ranges_lie_where_the_plan_says(guest: Ram) -> None:
    memory = GuestMemory(
        [Range(0, 0x1000, guest.descriptor, 0x2000), Range(1 << 32, 0x1000, guest.descriptor, 0)]
    )
    guest.write(0x2010, b"low")
    guest.write(0x20, b"high")
    assert memory.read(0x10, 3) == b"low"
    assert memory.read((1 << 32) + 0x20, 4) == b"high"
    for address, size in ((0xFFF, 2), (0x1000, 1), ((1 << 32) - 1, 1)):
        with pytest.raises(Unmapped):
            memory.read(address, size)


@pytest.mark.parametrize("level", [0, 1, 2])
def test_pages_of_every_size_are_walked(guest: Ram, level: int) -> None:
    guest.map(HIGH & -(1 << (12 + 9 * level)), 0, level)
    if level == 0:
        assert guest.space().translate(HIGH + 0x123) == 0x123
    offset = HIGH & ((1 << (12 + 9 * level)) - 1)
    assert guest.space().translate(HIGH + 0x10) == offset + 0x10


def test_a_read_may_cross_pages_that_are_not_neighbours(guest: Ram) -> None:
    guest.map(HIGH, 0x8_0000)
    guest.map(HIGH + 0x1000, 0x9_0000)
    guest.write(0x8_0FFE, b"ab")
    guest.write(0x9_0000, b"cd")
    assert guest.space().read(HIGH + 0xFFE, 4) == b"abcd"


@pytest.mark.parametrize("address", [HIGH + 0x1000, 0x1000, 1 << 60, 0x8000_0000_0000])
def test_what_is_not_mapped_is_told_with_its_address(guest: Ram, address: int) -> None:
    guest.map(HIGH, 0x8_0000)
    with pytest.raises(Unmapped, match=f"{address:#x}"):
        guest.space().read(address, 8)


def test_page_tables_outside_of_ram_are_no_fault_of_ours(guest: Ram) -> None:
    with pytest.raises(Unmapped):
        guest.space(cr3=SIZE).read64(HIGH)


def test_without_paging_addresses_are_physical_and_old_modes_are_not_walked(guest: Ram) -> None:
    guest.words(0x100, 7)
    assert guest.space(cr0=0).read64(0x100) == 7
    with pytest.raises(Unmapped):
        guest.space(efer=0).read64(0x100)


@given(st.integers(0, 1 << 32), st.integers(0, (1 << 64) - 1), st.booleans())
def test_nonsense_is_mapped_or_it_is_not(seed: int, address: int, five: bool) -> None:
    with ram() as guest:
        guest.write(0, Random(seed).randbytes(4096) * (SIZE // 4096))
        with suppress(Unmapped):
            assert len(guest.space(cr4=five << 12).read(address, 8)) == 8
