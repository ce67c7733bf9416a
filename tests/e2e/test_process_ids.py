# SPDX-License-Identifier: Apache-2.0
"""Who a program on an LWK is to Linux: the same for all of its threads, whichever worker makes a call."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/process_ids"
THREADS = 6


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("process_ids", tmp_path_factory)


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/process_ids.c in its host."""
    install(duo, program, PROGRAM)
    return duo


@pytest.mark.parametrize("word", ["library", "names"])
def test_threads_are_told_the_same_as_on_linux(word: str, host: Enclave) -> None:
    on_linux = host.host.run(PROGRAM, word)
    assert on_linux.status == 0
    assert host.host.run("lwkexec", "-p", LWK, PROGRAM, word) == on_linux


def test_one_call_changes_all_threads(host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, PROGRAM, "raw")
    assert done.status == 0, done
    before, *after = done.text.splitlines()
    assert before == "0 0 0 (0), 0 0 0 (0), 1 groups, nice 0, no new privileges 0, secret: opened"
    changed = "0 0 0 (0), 4321 4321 4321 (4321), 3 groups, nice 5, no new privileges 1, secret: EACCES"
    assert after == [changed] * (THREADS + 1)
