# SPDX-License-Identifier: Apache-2.0
"""The archive as another program reads it, and that equal trees give equal bytes."""

import stat
import subprocess
from pathlib import Path

from orchestrator import cpio

TREE = {
    "bin": cpio.folder(),
    "bin/tool": cpio.regular_file(b"#!/bin/sh\n", 0o755),
    "bin/link": cpio.symbolic_link("tool"),
    "secret": cpio.regular_file(b"odd", 0o600),
}


def unpack(archive: bytes, into: Path) -> None:
    into.mkdir()
    subprocess.run(["cpio", "-i", "--quiet"], input=archive, cwd=into, check=True)


def test_gnu_cpio_unpacks_the_tree(tmp_path: Path) -> None:
    unpack(cpio.archive(TREE), tmp_path / "out")
    tool = tmp_path / "out" / "bin" / "tool"
    assert tool.read_bytes() == b"#!/bin/sh\n"
    assert stat.S_IMODE(tool.stat().st_mode) == 0o755
    assert (tmp_path / "out" / "bin" / "link").readlink() == Path("tool")
    assert stat.S_IMODE((tmp_path / "out" / "secret").stat().st_mode) == 0o600


def test_missing_parents_are_added(tmp_path: Path) -> None:
    unpack(cpio.archive({"a/b/c": cpio.regular_file(b"x")}), tmp_path / "out")
    assert (tmp_path / "out" / "a" / "b" / "c").read_bytes() == b"x"


def test_order_of_the_tree_does_not_matter() -> None:
    assert cpio.archive(dict(reversed(TREE.items()))) == cpio.archive(TREE)


def test_owner_is_root_and_time_is_zero() -> None:
    listed = subprocess.run(
        ["cpio", "-itv", "--quiet", "--numeric-uid-gid"],
        input=cpio.archive(TREE),
        capture_output=True,
        check=True,
        env={"TZ": "UTC", "LC_ALL": "C", "PATH": "/usr/bin:/bin"},
    ).stdout.decode()
    assert len(listed.splitlines()) == len(TREE)
    for line in listed.splitlines():
        assert line.split()[2:4] == ["0", "0"], line
        assert "Jan  1  1970" in line


def test_a_second_archive_begins_where_the_kernel_looks_for_it() -> None:
    assert len(cpio.archive(TREE)) % 4 == 0
