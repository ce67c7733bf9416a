# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

from orchestrator.merged_consoles import as_text, merge_consoles


def test_lines_of_all_are_in_the_order_of_the_one_clock(tmp_path: Path) -> None:
    (tmp_path / "host").write_bytes(
        b"[    0.500000] boots\r\n[    2.000000] \x1b[1mready\x1b[0m\n[    3.0] \n"
    )
    (tmp_path / "lwk0").write_bytes(b"[    1.000000] [    0.1] lwk: \xff\x07bell\n")
    merged = merge_consoles(
        {name: tmp_path / name for name in ("host", "lwk0")}, {"host": 1000, "lwk0": 1000}
    )
    assert [as_text(line, 4) for line in merged.lines] == [
        "    0.500000  host  boots",
        "    1.000000  lwk0  [    0.1] lwk: ��bell",
        "    2.000000  host  ready",
    ]
    assert merged.left_out == []


def test_what_is_too_long_loses_its_beginning_and_that_is_said(tmp_path: Path) -> None:
    lines = [f"[{number:12.6f}] line {number}\n" for number in range(100)]
    (tmp_path / "host").write_text("".join(lines))
    most = len(lines[0]) * 3 + 5
    merged = merge_consoles({"host": tmp_path / "host", "lwk0": tmp_path / "none"}, {"host": most, "lwk0": 9})
    assert [line.text for line in merged.lines] == ["line 97", "line 98", "line 99"]
    left = sum(map(len, lines)) - most
    assert merged.left_out == [
        f"console of host: its first {left} bytes",
        "console of lwk0: No such file or directory",
    ]
