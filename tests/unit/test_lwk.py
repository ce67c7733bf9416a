# SPDX-License-Identifier: Apache-2.0
"""When the LWK is built, with a Makefile that notes that it was called in place of its own."""

from pathlib import Path

import pytest

from orchestrator import lwk
from orchestrator.errors import EnclaveError, EnvironmentFault

MAKEFILE = """\
all:
\t@echo made >> $(OUT)/lwk.elf
\t@if [ -f broken ]; then echo "kernel.c:1: error: what is this" >&2; exit 1; fi
"""


@pytest.fixture
def sources(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "sources"
    folder.mkdir()
    (folder / "Makefile").write_text(MAKEFILE)
    monkeypatch.setattr(lwk, "SOURCES", (folder,))
    monkeypatch.setattr(lwk, "LWK", tmp_path / "build" / "lwk.elf")
    return folder


def builds() -> int:
    """How often it was built until now; asks for it to be current first."""
    lwk.ensure_lwk(lambda what: None)
    return lwk.LWK.read_text().count("made")


def test_built_once_and_again_when_a_source_changes(sources: Path) -> None:
    assert builds() == 1
    assert builds() == 1
    (sources / "new.c").touch()
    assert builds() == 2
    (sources / "new.c").write_text("changed")
    assert builds() == 3
    (sources / "new.c").unlink()
    assert builds() == 4
    assert builds() == 4


def test_missing_result_is_made_again(sources: Path) -> None:
    assert builds() == 1
    lwk.LWK.unlink()
    assert builds() == 1


def test_failure_shows_what_the_compiler_said_and_is_not_taken_for_made(sources: Path) -> None:
    (sources / "broken").touch()
    for _ in range(2):
        with pytest.raises(EnclaveError, match="error: what is this"):
            lwk.ensure_lwk(lambda what: None)
    (sources / "broken").unlink()
    assert builds() == 3


def test_missing_make_is_told(sources: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(sources))
    with pytest.raises(EnvironmentFault, match="make is not installed"):
        lwk.ensure_lwk(lambda what: None)


def test_flags_of_a_make_that_called_us_do_not_reach_it(
    sources: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAKEFLAGS", "-n")
    assert builds() == 1
