# SPDX-License-Identifier: Apache-2.0
"""Programs on an LWK that are killed at any moment, or come in great numbers, leave nothing behind."""

import random
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program

LWK = "lwk0"
PROGRAM = "/tmp/process_lives"
# Of a program from its start to its end, alone: what kills it comes before or after any moment of its life.
LIFE_US = 300_000


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("process_lives", tmp_path_factory)


# Uses of the module, channels, and proxies, all on one line: the last channel may be closing just now.
HELD_BY_LINUX = f"""\
echo $(cat /sys/module/ikc/refcnt; ikcctl channels | grep '^{LWK}'; pidof lwkexec process_lives)"""
NOTHING = "0"


def memory(enclave: Enclave) -> str:
    """Processes, and free pages of each node, in words."""
    return enclave.host.succeed("lwkexec", "-p", LWK, "--memory").strip()


def wait_until_said(enclave: Enclave, line: str, expected: str) -> None:
    """Until this line of shell says that."""
    loop = f"until [ \"$({line})\" = '{expected}' ]; do usleep 20000; done"
    done = enclave.host.run("timeout", "30", "sh", "-c", loop)
    assert done.status == 0, f"30 s later: {enclave.host.succeed('sh', '-c', line)}but not: {expected}"


def wait_until_free(enclave: Enclave, before: str) -> None:
    """The last proxy may have gone just now, and the LWK not have heard of it."""
    wait_until_said(enclave, f"lwkexec -p {LWK} --memory", before)


@pytest.fixture
def linux(duo: Enclave, program: Path) -> Iterator[Enclave]:
    """duo, with programs/process_lives.c in its host; Linux keeps nothing of what the test began."""
    duo.host.session().put(program, PROGRAM)
    duo.host.succeed("sh", "-c", f"chmod +x {PROGRAM}; [ -p /tmp/never ] || mkfifo /tmp/never")
    wait_until_said(duo, HELD_BY_LINUX, NOTHING)
    yield duo
    wait_until_said(duo, HELD_BY_LINUX, NOTHING)


@pytest.fixture
def host(linux: Enclave) -> Iterator[Enclave]:
    """... and the LWK has all of its memory again."""
    # Kernel stacks are kept for other threads: there have been as many as a test has at once.
    crowd = f"timeout -s KILL 2 lwkexec -p {LWK} {PROGRAM} crowd"
    linux.host.succeed("sh", "-c", f"{crowd} & {crowd}; wait")
    wait_until_said(linux, f"lwkexec -p {LWK} --memory | cut -d, -f1", "0 processes")
    before = memory(linux)
    yield linux
    wait_until_free(linux, before)


KILLED = {
    "computing": f"{PROGRAM} compute",
    "many threads": f"{PROGRAM} crowd",
    "in a call of the proxy's": "busybox cat /tmp/never",
    "in a call of the LWK's": "busybox sleep 1000",
    "at its end": "busybox true",
}

# A line each: after how many us it is killed, and the program. Says what was not as it should be.
KILL = f"""
while read -r delay line; do
  lwkexec -p {LWK} $line </dev/null >/dev/null 2>&1 &
  usleep $delay
  kill -KILL $! 2>/dev/null
  wait $!
  status=$?
  case $status in 0|137) ;; *) echo "$line, killed after $delay us: status $status";; esac
  timeout -s KILL 20 lwkexec -p {LWK} busybox true </dev/null || echo "after $line and $delay us: $?"
done
echo over
"""


@pytest.mark.parametrize(
    "rounds", [15, pytest.param(300, marks=[pytest.mark.soak, pytest.mark.timeout(1800)])]
)
def test_proxy_killed_at_any_moment_leaves_nothing(rounds: int, host: Enclave) -> None:
    chosen = random.Random(rounds)
    lines = [f"{chosen.randrange(LIFE_US)} {chosen.choice(list(KILLED.values()))}" for _ in range(rounds)]
    given = "".join(f"{line}\n" for line in lines).encode()
    said = host.host.run("sh", "-c", KILL, input=given, deadline_s=60 + 4 * rounds).text
    assert said == "over\n"


@pytest.mark.parametrize(
    "count", [50, pytest.param(2000, marks=[pytest.mark.soak, pytest.mark.timeout(3600)])]
)
def test_processes_one_after_the_other_leave_nothing(count: int, host: Enclave) -> None:
    before = memory(host)
    slab = unreclaimable_kib(host)
    loop = f"for i in $(seq {count}); do lwkexec -p {LWK} {PROGRAM} short </dev/null || exit 1; done"
    assert host.host.run("sh", "-c", loop, deadline_s=60 + count).status == 0
    wait_until_free(host, before)
    wait_until_said(host, HELD_BY_LINUX, NOTHING)
    # A KiB for each that stayed in Linux would be seen.
    assert unreclaimable_kib(host) - slab < max(count, 1000)


def unreclaimable_kib(enclave: Enclave) -> int:
    return int(enclave.host.succeed("sh", "-c", "awk '/^SUnreclaim/ { print $2 }' /proc/meminfo"))


FLIGHT = 8


@pytest.mark.parametrize("fault", ["kill", "panic"])
def test_end_of_a_partition_with_calls_in_flight_is_told(fault: str, linux: Enclave) -> None:
    one = f"lwkexec -p {LWK} {PROGRAM} crowd 2>&1 &"
    run = f"{' '.join([one] * FLIGHT)} wait; echo over"
    linux.host.succeed("sh", "-c", f"rm -f /tmp/said; (sh -c '{run}' >/tmp/said) >/dev/null 2>&1 &")
    wait = f"until lwkexec -p {LWK} --memory | grep -q '^{FLIGHT} processes'; do usleep 20000; done"
    assert linux.host.run("timeout", "60", "sh", "-c", wait).status == 0
    linux.fault(LWK, fault)
    linux.host.succeed("timeout", "30", "sh", "-c", "until grep -q over /tmp/said; do usleep 20000; done")
    told = f"lwkexec: {LWK} has ended or begun anew, and the process with it"
    assert linux.host.succeed("cat", "/tmp/said").splitlines() == [told] * FLIGHT + ["over"]
    linux.restart(LWK)
    assert linux.host.run("lwkexec", "-p", LWK, "busybox", "echo", "again").text == "again\n"
