# SPDX-License-Identifier: Apache-2.0
"""The table in a Linux image, made here as scripts/kallsyms.c of 6.1 makes it."""

import struct
from pathlib import Path

import pytest

from orchestrator.kallsyms import NoTable, Symbol, read_kallsyms, read_symbols
from tests.unit.fake_kallsyms import BASE, aligned, table

COUNT = 600  # markers for three groups
OTHER_DIGITS = b"other text 0\x001\x002\x003\x004\x005\x006\x007\x008\x009\x00"
INDEX = 256 * 2  # bytes


def symbols() -> list[Symbol]:
    """Functions 16 bytes apart, one with a long name; every tenth is data, and two are in per-CPU memory."""
    made = [
        Symbol(BASE + number * 16, "d" if number % 10 == 5 else "T", f"function_{number}")
        for number in range(COUNT - 2)
    ]
    made[7] = made[7]._replace(kind="W", name="schedule_timeout")
    made[300] = made[300]._replace(kind="t", name="x" * 200)
    ends = [Symbol(BASE + COUNT * 16, "T", "_etext"), Symbol(BASE + COUNT * 32, "T", "last")]
    return [Symbol(0, "A", "fixed_percpu_data"), Symbol(0x1FB80, "A", "current_task"), *made, *ends]


def image(with_order: bool = True) -> bytes:
    return bytes(64) + aligned(OTHER_DIGITS) + struct.pack("<Q", BASE) + table(symbols(), with_order)


def written(tmp_path: Path, content: bytes) -> Path:
    (tmp_path / "vmlinux").write_bytes(content)
    return tmp_path / "vmlinux"


@pytest.mark.parametrize("with_order", [False, True])
def test_every_symbol_is_read(tmp_path: Path, with_order: bool) -> None:
    assert read_symbols(written(tmp_path, image(with_order) + bytes(64))) == symbols()


@pytest.mark.parametrize("before", [b"", OTHER_DIGITS[-20:] + bytes(4), b"\x7fELF" * 20])
def test_table_is_found_wherever_it_is(tmp_path: Path, before: bytes) -> None:
    assert read_symbols(written(tmp_path, before + table(symbols()))) == symbols()


def test_functions_by_their_addresses(tmp_path: Path) -> None:
    found = read_kallsyms(written(tmp_path, image()))
    assert found.name_of(BASE + 8 * 16) == "function_8"
    assert found.name_of(BASE + 7 * 16 + 15) == "schedule_timeout"
    assert found.name_of(BASE + 5 * 16 + 3) == "function_4", "data is no function"
    assert found.name_of(BASE + 300 * 16 + 1) == "x" * 200
    assert found.name_of(BASE + 590 * 16) == "function_590"
    assert found.name_of(BASE - 1) == ""
    assert found.name_of(BASE + COUNT * 16 + 8) == "", "behind the text"
    assert not found.is_code(0x1234)
    assert not found.is_code(0x1FB80), "per-CPU memory has no code"
    assert found.places([0xFFFF_FFFF_A000_1000, 5]) == {0xFFFF_FFFF_A000_1000: (("a module", "", 0, False),)}


@pytest.mark.parametrize("content", [b"", b"\x7fELF" + bytes(5000), image(False)[:4000], image()[:-INDEX]])
def test_image_without_a_table_is_told(tmp_path: Path, content: bytes) -> None:
    with pytest.raises(NoTable, match="vmlinux carries no table of symbols"):
        read_kallsyms(written(tmp_path, content))


@pytest.mark.parametrize(
    ("was", "other"),
    [
        (struct.pack("<QII", BASE, COUNT + 2, 0), bytes(16)),
        (struct.pack("<Q", BASE), struct.pack("<Q", BASE + (1 << 24))),
        (struct.pack("<II", COUNT + 2, 0), struct.pack("<II", COUNT + 1, 0)),
        (struct.pack("<II", COUNT + 2, 0), struct.pack("<II", 1 << 31, 0)),
        (table(symbols())[: 4 * (COUNT + 2)], bytes(4 * (COUNT + 2))),  # no offset is below 0
    ],
)
def test_table_of_another_make_is_told(tmp_path: Path, was: bytes, other: bytes) -> None:
    assert was in image()
    with pytest.raises(NoTable, match="vmlinux is of an unknown make"):
        read_symbols(written(tmp_path, image().replace(was, other)))


def test_table_whose_offsets_are_cut_off_is_told(tmp_path: Path) -> None:
    with pytest.raises(NoTable, match="unknown make"):
        read_symbols(written(tmp_path, table(symbols())[8:]))
