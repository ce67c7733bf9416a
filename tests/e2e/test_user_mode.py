# SPDX-License-Identifier: Apache-2.0
"""Linux programs on an LWK: a binary does the same there as on the host, and nothing of it stays."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from orchestrator.ssh import Completed
from tests.e2e.conftest import CommandLine, build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/user_mode"
ALL_AT_ONCE = 8


@pytest.fixture(scope="session")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_program("user_mode", tmp_path_factory)


@pytest.fixture
def prepared(duo: Enclave, program: Path) -> Enclave:
    """duo, with programs/user_mode.c in its host."""
    if duo.host.run("test", "-x", PROGRAM).status:
        install(duo, program, PROGRAM)
    return duo


@pytest.fixture
def host(prepared: Enclave) -> Iterator[Enclave]:
    """As `prepared`; what the test began on the LWK has given back all memory."""
    warm_up(prepared, prepared.partition(LWK)["incarnation"])
    before = memory(prepared)
    yield prepared
    wait_until_free(prepared, before)


warm_lives: set[tuple[str, int]] = set()


def warm_up(enclave: Enclave, life: int) -> None:
    """Kernel stacks are kept for other threads: each life has had as many as a test has at once."""
    if (enclave.name, life) not in warm_lives:
        assert on_lwk(enclave, PROGRAM, "threads").status == 0
        warm_lives.add((enclave.name, life))


def on_lwk(enclave: Enclave, *command: str, input: bytes = b"") -> Completed:
    return enclave.host.run("lwkexec", "-p", LWK, "--", *command, input=input)


def together(count: int, command: str) -> str:
    """A line of shell that runs so many at once on the LWK, and fails if one does."""
    one = f'lwkexec -p {LWK} {command} & all="$all $!"'
    return f"{'; '.join([one] * count)}; for each in $all; do wait $each || exit 1; done"


def memory(enclave: Enclave) -> str:
    """Processes, and free pages of each node, in words."""
    return enclave.host.succeed("lwkexec", "-p", LWK, "--memory")


def wait_until_free(enclave: Enclave, before: str) -> None:
    """The last proxy may have gone just now, and the LWK not have heard of it."""
    loop = f"until lwkexec -p {LWK} --memory | grep -qx '{before.strip()}'; do usleep 20000; done"
    done = enclave.host.run("timeout", "30", "sh", "-c", loop)
    assert done.status == 0, f"30 s later: {memory(enclave)}before: {before}"


def wait_for_processes(enclave: Enclave, count: int) -> None:
    loop = f"until lwkexec -p {LWK} --memory | grep -q '^{count} processes'; do usleep 20000; done"
    assert enclave.host.run("timeout", "30", "sh", "-c", loop).status == 0, memory(enclave)


DEEDS = [
    "memory",
    "file /etc/passwd",
    "pointers",
    "registers",
    "sleep",
    "time",
    "threads",
    "blocked",
    "move",
    "signals",
    "queued",
    "schedule",
    "limits",
]
FAULTS = ["null", "kernel", "text", "data", "privileged", "port", "noncanonical", "undefined", "breakpoint"]
FAULTS += ["divide", "stack", "abort"]


@pytest.mark.parametrize("deed", DEEDS)
def test_program_says_the_same_as_on_linux(deed: str, host: Enclave) -> None:
    on_linux = host.host.run(PROGRAM, *deed.split())
    there = on_lwk(host, PROGRAM, *deed.split())
    assert on_linux.status == 0
    assert there == on_linux


def test_fault_ends_the_program_and_nothing_else_as_on_linux(host: Enclave) -> None:
    for fault in FAULTS:
        on_linux = host.host.run(PROGRAM, "fault", fault)
        assert on_linux.status > 128, fault
        assert on_lwk(host, PROGRAM, "fault", fault).status == on_linux.status, fault
    assert host.partition(LWK)["state"] == "READY"


def test_busybox_lists_the_files_of_linux(host: Enclave) -> None:
    for command in (["ls", "-l", "/usr"], ["sh", "-c", "echo $((6 * 7)); cd /tmp; pwd"], ["md5sum", PROGRAM]):
        assert on_lwk(host, "busybox", *command) == host.host.run("busybox", *command)


def test_arguments_environment_folder_and_streams_pass_through(host: Enclave) -> None:
    line = f"cd /usr; umask 27; export USER_MODE=yes; exec lwkexec -p {LWK} {PROGRAM} arguments 'a  b' ''"
    done = host.host.run("sh", "-c", line)
    assert done.text.splitlines() == [
        "argument 2: a  b",
        "argument 3: ",
        "USER_MODE=yes",
        "cwd /usr umask 27",
    ]
    assert done.status == 4
    data = bytes(range(256)) * 1000
    copied = on_lwk(host, PROGRAM, "copy", input=data)
    assert copied.stdout == data


def test_what_cannot_be_run_is_refused_as_by_env(host: Enclave) -> None:
    assert on_lwk(host, "/nowhere/at-all").status == 127
    assert on_lwk(host, "no-such-program").status == 127
    assert on_lwk(host, "/etc/passwd").status == 126
    host.host.succeed(
        "sh", "-c", "head -c 200 /bin/busybox >/tmp/cut; echo hello >/tmp/text; chmod +x /tmp/cut /tmp/text"
    )
    for name in ("/tmp/cut", "/tmp/text"):
        done = on_lwk(host, name)
        assert done.status == 126
        assert "Exec format error" in done.complaint
    done = host.host.run("lwkexec", "-p", "host", "ls")
    assert done.status == 125
    assert "this partition itself" in done.complaint


def test_dynamic_program_finds_its_libraries_among_the_files_of_linux(host: Enclave, tmp_path: Path) -> None:
    made = tmp_path / "dynamic"
    source = Path(__file__).parent / "programs" / "user_mode.c"
    for name, options in {"dynamic": ["-no-pie"], "position-independent": ["-pie", "-fPIE"]}.items():
        subprocess.run(["gcc", "-std=gnu11", "-O1", *options, "-o", made, source], check=True)
        install(host, made, "/tmp/dynamic")
        for deed in ("threads", "memory"):
            assert on_lwk(host, "/tmp/dynamic", deed) == host.host.run("/tmp/dynamic", deed), name


def test_openmp_has_a_thread_on_each_cpu(host: Enclave, tmp_path: Path) -> None:
    made = tmp_path / "dot_product"
    source = Path(__file__).parent / "programs" / "dot_product.c"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-fopenmp", "-static", "-w", "-o", made, source], check=True)
    install(host, made, "/tmp/dot_product")
    assert on_lwk(host, "/tmp/dot_product").text == "9999900000 by 3 threads\n"
    named = host.host.run("lwkexec", "-p", LWK, "--cpus", "1-2", "/tmp/dot_product")
    assert named.text == "9999900000 by 2 threads\n"


def test_script_runs_by_its_interpreter(host: Enclave) -> None:
    host.host.succeed("sh", "-c", r"printf '#!/bin/busybox echo\n' >/tmp/script; chmod +x /tmp/script")
    assert on_lwk(host, "/tmp/script", "me").text == "/tmp/script me\n"


def test_trace_tells_where_each_call_was_made(host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, "--trace", "busybox", "echo", "hello")
    assert done.text == "hello\n"
    assert re.search(r"^write\(1, 0x[0-9a-f]+, 6\) = 6 <proxy [0-9.]+ us>$", done.complaint, re.M)
    assert re.search(r"^brk\(0x0\) = 0x[0-9a-f]+ <lwk [0-9.]+ us>$", done.complaint, re.M)
    assert done.complaint.endswith("+++ exited with 0 +++")
    summary = host.host.run("lwkexec", "-p", LWK, "--trace=summary", "busybox", "true").complaint
    assert re.search(r"^lwk +1 +0 .* exit_group$", summary, re.M)


def test_proxy_goes_by_the_name_of_its_program(host: Enclave) -> None:
    start = (
        f"lwkexec -p {LWK} busybox sleep 1000 & until grep -qx busybox /proc/$!/comm; do usleep 20000; done"
    )
    line = f"{start}; tr '\\0' , </proc/$!/cmdline; kill $!"
    assert host.host.run("timeout", "30", "sh", "-c", line).text.startswith("busybox,sleep,1000,")


NODES = """\
by default: 0
mbind: 0
bound: 0 1, holds 5
mbind back: 0
its last page: 0, before: 1, holds 5
set_mempolicy: 0
then: 1
more than it has: refused
preferred: 1, and behind its end: 0
interleaved: 0 1 0 1
no such node: -1 EINVAL
no such mode: -1 EINVAL
default: 0
"""


def test_memory_comes_from_the_nodes_that_were_named(prepared: Enclave) -> None:
    done = prepared.host.run("lwkexec", "-p", "lwk1", PROGRAM, "nodes")
    said = [line.rstrip() for line in done.text.splitlines()]
    assert said == NODES.splitlines()


def test_who_computes_gives_way_to_who_has_its_answer(host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, "--cpus", "1", PROGRAM, "give-way")
    assert done == host.host.run(PROGRAM, "give-way")
    assert done.text == "100 answers, read x\n"


def test_calls_that_nobody_knows_are_the_proxys(host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, "--trace", PROGRAM, "unknown")
    assert done.text == "unknown: -1 ENOSYS\ninto the proxy: -1 EFAULT\n"
    assert re.search(r"^call 511\(0x1, 0x2, .* <proxy [0-9.]+ us>$", done.complaint, re.M), done.complaint
    assert re.search(r"^call 511\(0x1, 0x7ffff0000000, .* <lwk [0-9.]+ us>$", done.complaint, re.M)


def test_signals_that_find_no_room_are_refused(host: Enclave) -> None:
    assert on_lwk(host, PROGRAM, "many-queued").text == "taken 85, refused 115\n" * 2


@pytest.mark.parametrize("cpus", ["1", "0-2"])
def test_calls_of_several_kinds_at_once(cpus: str, host: Enclave) -> None:
    done = host.host.run("lwkexec", "-p", LWK, "--cpus", cpus, PROGRAM, "mixed", deadline_s=60)
    assert done == host.host.run(PROGRAM, "mixed")
    assert done.text.split() == ["200"] * 8


def test_program_is_on_the_cpus_that_were_named(host: Enclave) -> None:
    for cpus, told in {"1": "1 here", "0,2": "0 2 here", "0-2,9": "0 1 2 here"}.items():
        assert host.host.succeed("lwkexec", "-p", LWK, "--cpus", cpus, PROGRAM, "cpus").strip() == told
    for cpus, why in {
        "9": "lwk0 has none of those CPUs",
        "1-": "must be CPUs",
        "2-1": "must be CPUs",
    }.items():
        done = host.host.run("lwkexec", "-p", LWK, "--cpus", cpus, PROGRAM, "cpus")
        assert done.status == 125
        assert why in done.complaint


def test_threads_after_each_other_have_the_cpu_that_is_free(host: Enclave) -> None:
    """Also if the last has not quite ended: behind one that computes a new one would wait for ever."""
    for cpus in ("1-2", "0-2"):
        assert host.host.succeed("lwkexec", "-p", LWK, "--cpus", cpus, PROGRAM, "successive") == "0\n"


def test_processes_at_once_share_the_cpus(host: Enclave) -> None:
    host.host.succeed("sh", "-c", together(ALL_AT_ONCE, f"{PROGRAM} registers"))


# Where a program is when it, or its proxy, is ended.
PLACES = {
    "in user mode": f"{PROGRAM} spin",
    "in a call of the proxy's": f"{PROGRAM} copy <>/tmp/fifo",
    "in a call of the LWK's": "busybox sleep 1000",
}


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize(("signal", "status"), [("KILL", 137), ("TERM", 143)])
def test_signal_to_the_proxy_ends_the_program(place: str, signal: str, status: int, host: Enclave) -> None:
    line = f"[ -p /tmp/fifo ] || mkfifo /tmp/fifo; exec lwkexec -p {LWK} {PLACES[place]} >/dev/null"
    start = f"sh -c '{line}' & echo $! >/tmp/pid; wait $!; echo $? >/tmp/status"
    host.host.succeed("sh", "-c", f"rm -f /tmp/status; ({start}) >/dev/null 2>&1 &")
    wait_for_processes(host, 1)
    host.host.succeed("sh", "-c", f"kill -{signal} $(cat /tmp/pid)")
    host.host.succeed("timeout", "30", "sh", "-c", "until [ -s /tmp/status ]; do usleep 20000; done")
    assert int(host.host.succeed("cat", "/tmp/status")) == status


def test_first_real_time_signal_is_the_programs(host: Enclave) -> None:
    """34, which the C library that lwkexec is linked with keeps for itself."""
    script = "trap 'echo caught' 34; kill -34 $$; echo goes on"
    assert host.host.succeed("lwkexec", "-p", LWK, "busybox", "sh", "-c", script) == "caught\ngoes on\n"


def test_nobody_raises_the_stacks_limit_on_an_lwk(host: Enclave) -> None:
    """There is no more of it, for root neither; on Linux root may."""
    script = "ulimit -s 4096 || ulimit -s"
    said = host.host.succeed("sh", "-c", f"lwkexec -p {LWK} busybox sh -c '{script}' 2>&1; true")
    assert "Operation not permitted" in said
    assert "4096" not in said


def test_exec_and_push_reach_an_lwk(duo: Enclave, duo_command: CommandLine, program: Path) -> None:
    assert duo_command("push", program).returncode == 0
    done = duo_command("exec", LWK, "--", "./user_mode", "copy", stdin=b"through")
    assert (done.returncode, done.stdout) == (0, b"through")
    done = duo_command("exec", "--trace", "--cpus", "1", LWK, "--", "./user_mode", "arguments", "-x")
    assert (done.returncode, done.stdout.splitlines()[0]) == (3, b"argument 2: -x")
    assert b"exit_group" in done.stderr
    refused = duo_command("exec", "--cpus", "1", "host", "--", "true")
    assert refused.returncode == 2
    assert b"for an LWK" in refused.stderr
