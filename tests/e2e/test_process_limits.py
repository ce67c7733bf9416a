# SPDX-License-Identifier: Apache-2.0
"""Several programs on an LWK at once: how many, on which CPUs, and what they can share."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program

LWK = "lwk0"
PROGRAM = "/tmp/process_lives"
MOST = 16  # of one Linux


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("process_lives", tmp_path_factory)


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/process_lives.c in its host."""
    duo.host.session().put(program, PROGRAM)
    duo.host.succeed("sh", "-c", f"chmod +x {PROGRAM}; [ -p /tmp/never ] || mkfifo /tmp/never")
    return duo


# Starts programs, each when the one before says on which CPU it is, does what comes next, and kills them.
TOGETHER = f"""
start() {{
  : >/tmp/cpu.$1
  lwkexec -p {LWK} {PROGRAM} cpu >/tmp/cpu.$1 & all="$all $!"
  until [ -s /tmp/cpu.$1 ]; do usleep 10000; done
  cat /tmp/cpu.$1
}}
finish() {{
  kill -KILL $all; wait; until lwkexec -p {LWK} --memory | grep -q '^0 proc'; do usleep 10000; done
}}
"""


def together(enclave: Enclave, count: int, then: str = "") -> list[str]:
    script = f"{TOGETHER} for i in $(seq {count}); do start $i; done; {then} finish"
    done = enclave.host.run("timeout", "-s", "KILL", "60", "sh", "-c", script)
    assert done.status == 0, done
    return done.text.splitlines()


def test_programs_are_spread_over_the_cpus(host: Enclave) -> None:
    chosen = together(host, 6)
    assert sorted(chosen[:3]) == sorted(chosen[3:]) == ["0", "1", "2"]


def test_one_program_too_many_is_told_why_and_has_room_when_another_ends(host: Enclave) -> None:
    more = f"""
    lwkexec -p {LWK} busybox true 2>&1; echo $?
    kill -KILL $!; wait $!
    until lwkexec -p {LWK} busybox echo room 2>/dev/null; do usleep 10000; done;
    """
    told = together(host, MOST, more)[MOST:]
    assert told[0] == (
        f"lwkexec: a channel to port 4: all {MOST} channels that may be opened to {LWK} are in use, "
        "one by each program that runs there: wait until one ends"
    )
    assert told[1:] == ["125", "room"]


def test_memory_is_shared_by_threads_and_not_by_files(host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, PROGRAM, "share")
    assert done.text.splitlines() == ["anonymous: x", "read only: done", "writable: ENODEV"]
