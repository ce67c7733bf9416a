# SPDX-License-Identifier: Apache-2.0
"""The region as Python and C see it: each reads what the other wrote."""

import mmap
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator import ikc_layout
from orchestrator.ikc import NO_WINDOW, Identity, LogReader, Region, Segment, Traffic, Use
from orchestrator.ikc_layout import HEADERS, Layout, ensure_layout, region_size

GUEST = Path(__file__).parent / "ikc_guest.c"
IDENTITIES = (
    Identity("host", "LINUX", True, 2, (Segment(0, 512 << 20, 0, NO_WINDOW, 0),)),
    Identity(
        "lwk0", "LWK", False, 3, (Segment(0, 256 << 20, 0, 0x28, 0), Segment(1 << 32, 64 << 20, 0, 0x30, 2))
    ),
)


@pytest.fixture
def memory(tmp_path: Path, layout: Layout) -> Iterator[mmap.mmap]:
    path = tmp_path / "region"
    path.write_bytes(bytes(region_size(layout, len(IDENTITIES))))
    with path.open("r+b") as file, mmap.mmap(file.fileno(), 0) as mapping:
        yield mapping


@pytest.fixture
def region(memory: mmap.mmap, layout: Layout) -> Iterator[Region]:
    region = Region(memory, layout)
    region.format(IDENTITIES, run_id=7)
    yield region
    region.close()


def play_guests(folder: Path) -> list[str]:
    program = folder / "guest"
    subprocess.run(["gcc", "-O1", "-I", HEADERS, "-o", program, GUEST], check=True)
    done = subprocess.run([program, folder / "region"], check=True, capture_output=True, text=True)
    return done.stdout.splitlines()


def test_c_and_python_read_each_other(region: Region, tmp_path: Path) -> None:
    region.begin_life(0)
    region.begin_life(1)
    region.post_command(1, "PROBE")
    sequence = region.post_command(1, "PANIC")

    assert play_guests(tmp_path) == ["lwk0 2 3 2", "100000000 48", f"1 4 {sequence}"]

    status = region.status(1)
    assert status.state == "PANICKED"
    assert (status.incarnation, status.answered, status.answer) == (1, sequence, "DONE")
    assert (status.cpus_online, status.ready_ns) == (3, 12345678901)
    assert status.panic_text == "oh no\n\N{REPLACEMENT CHARACTER}[2J"
    assert status.use == Use(64 << 20, 48 << 20, 2, 5, 1000, 6_000_000_000)
    assert region.status(0).use is None
    report = region.report(1)
    assert report is not None
    assert report.cpus == ((0, 0), (5, 1))
    assert report.ranges == ((1 << 20, 2 << 20, 1),)
    assert report.distances == ((0, 21), (0, 0))
    assert report.latency_ns == ((0, 0), (300, 0))
    assert region.link_state(0, 1) == region.link_state(1, 0) == "RUN"


def test_log_is_the_newest_text_and_then_what_follows(region: Region, tmp_path: Path) -> None:
    region.begin_life(0)
    region.begin_life(1)
    reader = LogReader(region, 1)
    assert reader.read() == b""
    play_guests(tmp_path)
    lines = reader.read().decode().splitlines()
    assert lines[-1] == "line 39999"
    assert [int(line.split()[1]) for line in lines[1:]] == list(range(40000 - len(lines) + 1, 40000))
    assert reader.read() == b""
    log = region.partition(1).inner("log")
    written = log.load("written")
    log.store("reserved", written + 3)
    log.store("written", written + 3)
    assert len(reader.read()) == 3


def test_nobody_is_alive_in_a_fresh_region(region: Region) -> None:
    assert not region.mailbox(1).alive
    assert region.link_state(1, 0) == "DOWN"
    assert region.report(1) is None
    assert region.status(1).state == "NONE"


def test_lives_are_counted_and_commands_numbered_across_them(region: Region) -> None:
    assert region.begin_life(1) == 1
    assert region.post_command(1, "PROBE") == 1
    region.end_life(1)
    assert not region.mailbox(1).alive
    assert region.begin_life(1) == 2
    assert region.mailbox(1).alive
    assert region.post_command(1, "PROBE") == 2


def test_link_of_an_earlier_life_is_down(region: Region) -> None:
    region.begin_life(1)
    half = region.half(1, 0)
    half.store("lives", 1 << 48)
    half.store("state", 3)
    assert region.link_state(1, 0) == "RUN"
    region.begin_life(1)
    assert region.link_state(1, 0) == "DOWN"


def test_hostile_words_are_bounded(region: Region) -> None:
    """A guest that fills all its pages with ones costs an onlooker neither an error nor much time."""
    region.begin_life(1)
    partition = region.partition(1)
    struct = region.layout.structs["ikc_partition"]
    begin = region.layout.constant("IKC_PAGE_SIZE") + struct.size
    own = struct.fields["status"].offset
    region.store_copy(begin + own, b"\xff" * (struct.size - own))
    status = region.status(1)
    assert status.state == "UNKNOWN(4294967295)"
    assert len(status.panic_text) == region.layout.constant("IKC_PANIC_TEXT_SIZE")
    partition.inner("status").store("report_valid", 1)
    report = region.report(1)
    assert report is not None
    assert len(report.cpus) == region.layout.constant("IKC_REPORT_CPUS_MAX")
    assert len(report.distances) == region.layout.constant("IKC_REPORT_NODES_MAX")
    partition.inner("log").store("reserved", 0)
    assert len(LogReader(region, 1).read()) == region.layout.constant("IKC_LOG_SIZE")
    region.half(1, 0).store("lives", (1 << 48) | 1)
    region.half(1, 0).store("state", 77)
    assert region.link_state(1, 0) == "UNKNOWN(77)"


def test_words_are_stored_whole(region: Region, memory: mmap.mmap) -> None:
    mailbox = region.partition(1).inner("mailbox")
    mailbox.store("argument", 0x0123456789ABCDEF)
    at = region.layout.constant("IKC_PAGE_SIZE") + region.layout.structs["ikc_partition"].size
    at += region.layout.structs["ikc_partition"].fields["mailbox"].offset
    at += region.layout.structs["ikc_mailbox"].fields["argument"].offset
    assert memory[at : at + 8] == bytes.fromhex("efcdab8967452301")
    with pytest.raises((ValueError, OverflowError)):
        mailbox.store("argument", 1 << 64)


def test_layout_is_kept_until_the_headers_change(
    tmp_path: Path, layout: Layout, monkeypatch: pytest.MonkeyPatch
) -> None:
    headers = tmp_path / "headers"
    headers.mkdir()
    for path in HEADERS.glob("ikc_*.[ch]"):
        (headers / path.name).write_bytes(path.read_bytes())
    monkeypatch.setattr(ikc_layout, "HEADERS", headers)
    compiled: list[Layout] = []
    compile_layout = ikc_layout.compile_layout

    def counted() -> Layout:
        compiled.append(compile_layout())
        return compiled[-1]

    monkeypatch.setattr(ikc_layout, "compile_layout", counted)

    assert ensure_layout(tmp_path) == ensure_layout(tmp_path) == layout
    assert len(compiled) == 1
    changed = headers / "ikc_layout.h"
    changed.write_text(changed.read_text().replace("IKC_ABI_MINOR = 2", "IKC_ABI_MINOR = 9"))
    assert ensure_layout(tmp_path).constant("IKC_ABI_MINOR") == 9
    assert len(compiled) == 2


def test_traffic_is_what_data_and_channels_have_counted(region: Region) -> None:
    half = region.half(1, 0)
    counters = half.inner("counters")
    for number, field in enumerate(Traffic._fields):
        counters.store(field, 100 + number)
    for channel, sent in ((0, 7), (31, 1 << 40)):
        half.inner("channels", channel).store("sent", sent)
        half.inner("channels", channel).store("doorbells", 2)
    traffic = region.traffic(1, 0)
    assert traffic == Traffic(100 + 7 + (1 << 40), 101, 102, 103, 104, 105 + 4, 106, 107, 108)
    assert region.traffic(0, 1) == Traffic(*[0] * 9)


def test_lives_are_those_of_both_ends(region: Region) -> None:
    region.half(0, 1).store("lives", 0x0002_0003_0001_0004)
    assert region.lives(0, 1) == (0x0002_0003, 0x0001_0004)
