# SPDX-License-Identifier: Apache-2.0
from pathlib import Path

import pytest

from orchestrator import room
from orchestrator.errors import EnvironmentFault
from orchestrator.room import MIB, available_memory


@pytest.fixture
def computer(tmp_path: Path) -> Path:
    """/proc and /sys/fs/cgroup of a computer with 1000 MiB available, nobody limited."""
    (tmp_path / "proc" / "self").mkdir(parents=True)
    (tmp_path / "proc" / "meminfo").write_text("MemTotal: 9 kB\nMemAvailable:    1024000 kB\n")
    (tmp_path / "proc" / "self" / "cgroup").write_text("0::/\n")
    (tmp_path / "cgroup").mkdir()
    return tmp_path


def limit(folder: Path, names: tuple[str, str], maximum: str, current: int, cached: int) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / names[0]).write_text(f"{maximum}\n")
    (folder / names[1]).write_text(f"{current}\n")
    (folder / "memory.stat").write_text(f"anon 5\ninactive_file {cached}\n")


V1 = ("memory.limit_in_bytes", "memory.usage_in_bytes")
V2 = ("memory.max", "memory.current")


def test_memory_that_is_free_counts_without_a_group(computer: Path) -> None:
    assert available_memory(computer / "proc", computer / "cgroup") == 1000 * MIB


def test_the_tightest_group_above_us_counts(computer: Path) -> None:
    (computer / "proc" / "self" / "cgroup").write_text("0::/outer/inner\n")
    limit(computer / "cgroup" / "outer", V2, str(300 * MIB), 120 * MIB, 20 * MIB)
    limit(computer / "cgroup" / "outer" / "inner", V2, "max", 100 * MIB, 0)
    assert available_memory(computer / "proc", computer / "cgroup") == 200 * MIB


def test_a_container_sees_its_group_as_the_root(computer: Path) -> None:
    (computer / "proc" / "self" / "cgroup").write_text("4:memory:/docker/0123\n1:cpu:/\n")
    limit(computer / "cgroup" / "memory", V1, str(64 * MIB), 1 * MIB, 0)
    assert available_memory(computer / "proc", computer / "cgroup") == 63 * MIB


def test_want_of_memory_says_how_much_there_is(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(room, "available_memory", lambda: 600 * MIB)
    room.require_memory(256 * MIB, 200 * MIB, 3)
    with pytest.raises(
        EnvironmentFault, match=r"needs 700 MiB .*\(256 MiB of it shared\), 600 MiB are available"
    ):
        room.require_memory(256 * MIB, 300 * MIB, 3)


def test_want_of_descriptors_says_how_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("orchestrator.room.resource.getrlimit", lambda _: (100, 100))
    with pytest.raises(EnvironmentFault, match=r"needs 210 open files, the limit is 100"):
        room.require_files(partitions=2, doorbells=130)
