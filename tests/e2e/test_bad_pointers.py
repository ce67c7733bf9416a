# SPDX-License-Identifier: Apache-2.0
"""A program on an LWK reaches no memory but its own, whatever it hands to a system call."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/bad_pointers"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("bad_pointers", tmp_path_factory)


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/bad_pointers.c in its host."""
    install(duo, program, PROGRAM)
    return duo


# The program is told where its proxy has memory of its own: what may be written there, for a start.
WITH_PLACES = f"""
rm -f /tmp/places; mkfifo /tmp/places
timeout -s KILL 90 lwkexec -p {LWK} {PROGRAM} </tmp/places >/tmp/said &
exec 3>/tmp/places
until proxy=$(pidof bad_pointers) && [ -e /proc/$proxy/maps ]; do usleep 20000; done
grep ' rw-p' /proc/$proxy/maps >&3
exec 3>&-
wait $!
echo $? >>/tmp/said
cat /tmp/said
"""

SAID = """\
every call was tried
structures were tried
options were tried
the process was tried
changing ones were tried
ranges were tried
lengths were tried
numbers were tried
lending was tried
0 wrong
0
"""


def test_no_call_takes_a_pointer_to_what_is_not_the_programs(host: Enclave) -> None:
    assert host.host.run("sh", "-c", WITH_PLACES).text == SAID
    assert host.partition(LWK)["state"] == "READY"


def test_bad_pointers_get_the_errno_that_linux_has(host: Enclave) -> None:
    on_linux = host.host.run(PROGRAM, "tell")
    assert on_linux.status == 0
    assert host.host.run("lwkexec", "-p", LWK, PROGRAM, "tell") == on_linux


def test_memory_of_a_program_that_has_ended_is_zero_for_the_next(host: Enclave) -> None:
    assert host.host.run("lwkexec", "-p", LWK, PROGRAM, "leave").status == 0
    assert host.host.run("lwkexec", "-p", LWK, PROGRAM, "look").status == 0
