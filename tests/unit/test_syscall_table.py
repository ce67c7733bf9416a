# SPDX-License-Identifier: Apache-2.0
"""The table of system calls says all that there is to say, once, and as Linux numbers them."""

import re
from pathlib import Path

import pytest

TABLE = Path(__file__).parents[2] / "guest-kernels" / "ikc" / "ikc_syscalls.def"
NUMBERS = Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h")
ENTRY = re.compile(
    r'IKC_SYSCALL\((\d+), (\w+), (LOCAL|OFFLOAD|EITHER|REFUSE), "([ipsvwomMk]{0,6})"\)( /\* .+ \*/)?'
)


@pytest.fixture(scope="module")
def entries() -> list[tuple[str, ...]]:
    lines = [line for line in TABLE.read_text().splitlines() if line.startswith("IKC_SYSCALL")]
    found = [ENTRY.fullmatch(line) for line in lines]
    assert None not in found, lines[found.index(None)]
    return [entry.groups("") for entry in found if entry]


def test_each_call_of_linux_has_one_line_in_order(entries: list[tuple[str, ...]]) -> None:
    numbers = [int(number) for number, *_ in entries]
    assert numbers == sorted(set(numbers))
    defined = re.findall(r"#define __NR_(\w+) (\d+)", NUMBERS.read_text())
    assert {(name, int(number)) for name, number in defined} <= {(name, int(n)) for n, name, *_ in entries}


def test_refusals_have_their_reason(entries: list[tuple[str, ...]]) -> None:
    without = [name for _, name, place, _, reason in entries if place == "REFUSE" and not reason]
    assert without == []


def test_calls_that_would_be_the_proxys_own_are_not_offloaded(entries: list[tuple[str, ...]]) -> None:
    """What changes memory, threads or signals of who makes it would change the proxy."""
    own = "mmap munmap mprotect mremap brk madvise clone clone3 fork vfork execve exit exit_group futex"
    own += " rt_sigaction rt_sigprocmask rt_sigreturn sigaltstack arch_prctl set_tid_address seccomp ptrace"
    places = {name: place for _, name, place, *_ in entries}
    assert {name: places[name] for name in own.split() if places[name] == "OFFLOAD"} == {}
