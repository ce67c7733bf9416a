# SPDX-License-Identifier: Apache-2.0
"""Which side makes a system call: as the table has it, or as it was asked for where both can."""

import re
from pathlib import Path

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import CommandLine

LWK = "lwk0"
DEFINITIONS = Path(__file__).parents[2] / "guest-kernels/ikc/ikc_syscalls.def"
# A shell that makes no process: it asks for its ids, and sleeps.
IDS = ["busybox", "id", "-u"]


def places(trace: str, call: str) -> set[str]:
    return set(re.findall(rf"^{call}\(.*<(lwk|proxy) ", trace, re.M))


def traced(enclave: Enclave, *options: str, command: list[str]) -> str:
    return enclave.host.run("lwkexec", "-p", LWK, "--trace", *options, "--", *command).complaint


def test_call_that_both_can_make_is_made_where_it_was_asked_for(duo: Enclave) -> None:
    sleep = ["busybox", "usleep", "1000"]
    assert places(traced(duo, command=sleep), "(?:clock_)?nanosleep") == {"lwk"}
    for named in ("nanosleep,clock_nanosleep", "35,230"):
        there = traced(duo, "--offload", named, command=sleep)
        assert places(there, "(?:clock_)?nanosleep") == {"proxy"}
    both = ["--offload", "nanosleep,clock_nanosleep", "--local", "nanosleep,clock_nanosleep"]
    assert places(traced(duo, *both, command=sleep), "(?:clock_)?nanosleep") == {"lwk"}


REFUSED = {
    ("--offload", "mmap"): "a proxy cannot make mmap",
    ("--local", "read"): "an LWK cannot make read",
    ("--local", "0"): "an LWK cannot make read",
    ("--local", "fork"): "nobody makes fork",
    ("--offload", "getpid,no_such"): 'there is no system call "no_such"',
    ("--offload", "9999"): 'there is no system call "9999"',
    ("--offload", ""): 'there is no system call ""',
    ("--local", "getpid,"): 'there is no system call ""',
}


def test_what_cannot_be_is_refused_with_the_reason(duo: Enclave) -> None:
    for options, why in REFUSED.items():
        done = duo.host.run("lwkexec", "-p", LWK, *options, "busybox", "true")
        assert done.status == 125, options
        assert why in done.complaint, options


def test_every_call_that_both_can_make_may_be_offloaded(duo: Enclave) -> None:
    either = re.findall(r"^IKC_SYSCALL\(\d+, (\w+), EITHER,", DEFINITIONS.read_text(), re.M)
    assert len(either) > 10
    done = duo.host.run("lwkexec", "-p", LWK, "--offload", ",".join(either), *IDS)
    assert (done.status, done.text) == (0, "0\n")


def test_exec_hands_on_where_calls_are_to_be_made(duo: Enclave, duo_command: CommandLine) -> None:
    done = duo_command("exec", "-e", duo.name, "--offload", "getuid", "--trace", LWK, "--", *IDS)
    assert (done.returncode, done.stdout) == (0, b"0\n")
    assert places(done.stderr.decode(), "getuid") <= {"proxy"}
    refused = duo_command("exec", "-e", duo.name, "--local", "getuid", "host", "--", "true")
    assert refused.returncode == 2
    assert b"for an LWK" in refused.stderr
