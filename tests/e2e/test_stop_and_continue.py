# SPDX-License-Identifier: Apache-2.0
"""What stops and continues a proxy stops and continues the computing of its program on the LWK."""

from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/process_lives"
ORDER = "/tmp/signal_order"


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("process_lives", tmp_path_factory)


@pytest.fixture(scope="module")
def order(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("signal_order", tmp_path_factory)


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/process_lives.c in its host."""
    install(duo, program, PROGRAM)
    return duo


# The program counts at an address, which Linux reads in the proxy without the proxy.
FUNCTIONS = """
counter() { dd if=/proc/$proxy/mem bs=8 skip=$((0x10000000 / 8)) count=1 2>/dev/null | md5sum; }
changes() { before=$(counter); usleep 100000; [ "$before" != "$(counter)" ]; }
wait_until() { until "$@"; do usleep 10000; done; }
stands() { ! changes; }
is_stopped() { grep -q '^State:.T' /proc/$proxy/status; }
"""


def run(enclave: Enclave, script: str) -> str:
    done = enclave.host.run("timeout", "-s", "KILL", "60", "sh", "-c", FUNCTIONS + script)
    assert done.status == 0, done
    return done.text


@pytest.mark.parametrize("signal", ["STOP", "TSTP"])
def test_program_computes_only_while_its_proxy_goes_on(signal: str, host: Enclave) -> None:
    script = f"""
    lwkexec -p {LWK} {PROGRAM} count & proxy=$!
    wait_until changes
    for round in 1 2; do
      kill -{signal} $proxy
      wait_until stands; wait_until is_stopped
      kill -CONT $proxy
      wait_until changes
    done
    kill -TERM $proxy; wait $proxy; echo $?
    """
    assert run(host, script) == "143\n"


def test_stopped_program_can_be_killed(host: Enclave) -> None:
    script = f"""
    lwkexec -p {LWK} {PROGRAM} count & proxy=$!
    wait_until changes
    kill -STOP $proxy
    wait_until stands
    kill -KILL $proxy; wait $proxy; echo $?
    wait_until sh -c "lwkexec -p {LWK} --memory | grep -q '^0 processes'"
    """
    assert run(host, script) == "137\n"


def test_program_that_stops_itself_stops_its_proxy(host: Enclave) -> None:
    script = f"""
    lwkexec -p {LWK} busybox sh -c 'kill -STOP $$; echo on; exit 3' & proxy=$!
    wait_until is_stopped
    kill -CONT $proxy; wait $proxy; echo $?
    """
    assert run(host, script) == "on\n3\n"


def test_program_may_handle_what_would_stop_it(host: Enclave) -> None:
    script = f"""
    lwkexec -p {LWK} busybox sh -c '
      trap "echo stop; echo stop >/tmp/stopped" TSTP; trap "echo continue; exit 3" CONT
      echo ready >/tmp/ready; while :; do :; done' & proxy=$!
    wait_until [ -s /tmp/ready ]
    kill -TSTP $proxy
    wait_until [ -s /tmp/stopped ] # of two at once, the one may undo the other, on Linux as well
    kill -CONT $proxy; wait $proxy; echo $?
    """
    host.host.succeed("rm", "-f", "/tmp/ready", "/tmp/stopped")
    assert run(host, script).splitlines() == ["stop", "continue", "3"]


@pytest.mark.parametrize("life", ["compute", "wait"])
@pytest.mark.parametrize("last", ["go", "stop"])
def test_last_of_two_signals_at_once_holds(last: str, life: str, duo: Enclave, order: Path) -> None:
    install(duo, order, ORDER)
    rounds = 300
    turns = (ORDER, last, str(rounds))
    assert duo.host.run(*turns, ORDER, life).text == f"{rounds}\n"
    assert duo.host.run(*turns, "lwkexec", "-p", LWK, ORDER, life).text == f"{rounds}\n"
