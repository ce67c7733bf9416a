# SPDX-License-Identifier: Apache-2.0
"""The manual page says what --help says, and the programs that show such pages find no fault with it."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from orchestrator.cli import main


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("man") / "enclave.1"
    done = CliRunner().invoke(main, ["man"])
    assert done.exit_code == 0
    file.write_text(done.stdout)
    return file


def test_mandoc_finds_no_fault(page: Path) -> None:
    done = subprocess.run(["mandoc", "-Tlint", page], capture_output=True, text=True, check=False)
    assert done.stdout + done.stderr == ""
    assert done.returncode == 0


@pytest.mark.skipif(shutil.which("man") is None, reason="man-db is not installed")
def test_man_shows_it_without_warnings(page: Path) -> None:
    environment = os.environ | {"MANWIDTH": "80", "MANROFFOPT": "", "LC_ALL": "C.UTF-8"}
    done = subprocess.run(
        ["man", "--warnings", "-l", page], capture_output=True, text=True, check=True, env=environment
    )
    assert done.stderr == ""
    assert "enclave fault kill" in done.stdout


def test_every_verb_option_and_exit_status_is_there(page: Path) -> None:
    shown = subprocess.run(["mandoc", "-Tascii", page], capture_output=True, text=True, check=True).stdout
    while "\b" in shown:
        at = shown.index("\b")
        shown = shown[: at - 1] + shown[at + 1 :]  # bold is a letter over itself
    for name in main.commands:
        assert f"enclave {name}" in shown
    for said in (
        "--dry-run",
        "-D KEY=VALUE",
        "--duplicate R",
        "interrupted",
        "a guest kernel panicked",
        "NO_COLOR",
    ):
        assert said in shown
    assert r"\-\-dry\-run" in page.read_text()  # a plain one is a hyphen, which no shell takes for a minus
    # What all have is told once.
    assert shown.count("--verbose") == 1
