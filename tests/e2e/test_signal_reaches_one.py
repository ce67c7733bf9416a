# SPDX-License-Identifier: Apache-2.0
"""A signal that is sent to a process reaches one of its threads, the one that it reaches on Linux."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/signal_one"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("signal_one", tmp_path_factory)


@pytest.mark.parametrize(
    ("who", "said"),
    [
        ("first", "100 handled, 0 taken, 100 interrupted, the first thread 100 times"),
        ("all", "100 handled, 0 taken, 100 interrupted, the first thread 100 times"),
        ("others", "100 handled, 0 taken, 100 interrupted, the first thread 0 times"),
        ("waiter", "0 handled, 100 taken, 0 interrupted, the first thread 0 times"),
    ],
)
def test_signal_interrupts_one_call(who: str, said: str, duo: Enclave, program: Path) -> None:
    install(duo, program, PROGRAM)
    expected = f"{said}; 0 calls ended by themselves\n"
    assert duo.host.run(PROGRAM, who).text == expected
    assert duo.host.run("lwkexec", "-p", LWK, PROGRAM, who).text == expected


def test_signal_of_a_broken_pipe_is_for_who_wrote(duo: Enclave, program: Path) -> None:
    install(duo, program, PROGRAM)
    on_linux = duo.host.run(PROGRAM, "pipe")
    assert on_linux.text == "write: EPIPE; then it is there: 1\n"
    assert duo.host.run("lwkexec", "-p", LWK, PROGRAM, "pipe") == on_linux
