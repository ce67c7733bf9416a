# SPDX-License-Identifier: Apache-2.0
"""Programs of several languages and C libraries, and stress-ng: as on the host, so on an LWK."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.ssh import Completed

HERE = Path(__file__).parent
PROGRAMS = HERE / "programs"
LWK = "lwk0"
DEADLINE_S = 120.0

# musl has no such function; a number says as much.
MUSL = ["musl-gcc", "-std=gnu11", "-O1", "-w", "-Dstrerrorname_np=strerror"]
BUILT = {
    "musl-static": [*MUSL, "-static", "user_mode.c"],
    "musl-dynamic": [*MUSL, "-no-pie", "user_mode.c"],
    "musl-pie": [*MUSL, "-fPIE", "-pie", "user_mode.c"],
    "threads": ["gcc", "-std=gnu11", "-O1", "-Wall", "-Wextra", "-static", "threads.c"],
    "exceptions": ["g++", "-O1", "-Wall", "-Wextra", "-pthread", "exceptions.cc"],
    "fork_in_place.so": ["gcc", "-O1", "-Wall", "-Wextra", "-shared", "-fPIC", "fork_in_place.c"],
}
SCRIPTS = ["threads_and_files.py", "coroutines.lua"]


@pytest.fixture(scope="module")
def host(enclave_factory: EnclaveFactory, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Enclave]:
    """Debian's programs in the host, and those that are built here in its /tmp."""
    made = tmp_path_factory.mktemp("programs")
    for name, command in BUILT.items():
        subprocess.run([*command, "-o", made / name], cwd=PROGRAMS, check=True)
    with enclave_factory(HERE / "specs" / "programs.yaml") as enclave:
        for path in [*(made / name for name in BUILT), *(PROGRAMS / name for name in SCRIPTS)]:
            enclave.host.session().put(path, f"/tmp/{path.name}")
        enclave.host.succeed("chmod", "+x", *(f"/tmp/{name}" for name in BUILT))
        yield enclave


def run(host: Enclave, *command: str) -> Completed:
    return host.host.run(*command, deadline_s=DEADLINE_S)


COMMANDS = [
    "/tmp/exceptions",
    "/tmp/threads",
    "lua5.4 /tmp/coroutines.lua",
    "python3 /tmp/threads_and_files.py",
    *(f"/tmp/musl-{kind} {deed}" for kind in ("static", "dynamic") for deed in ("threads", "signals")),
    "/tmp/musl-static memory",
    "/tmp/musl-pie threads",
    "/tmp/musl-dynamic file /etc/passwd",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_program_says_the_same_as_on_linux(command: str, host: Enclave) -> None:
    on_linux = run(host, *command.split())
    assert on_linux.stdout
    assert not on_linux.stderr
    assert run(host, "lwkexec", "-p", LWK, "--", *command.split()) == on_linux


# ---- stress-ng: each stressor does so much, checks what it does, and ends ----

# Those that make no more processes, and whose operations do not hang on the time.
STRESSORS = "cpu crypt goto pthread qsort schedpolicy set sigfpe signal sigpending sigsegv sigtrap str"
MORE_STRESSORS = (
    "atomic branch bsearch fp-error funccall get heapsort hsearch lsearch matrix matrix-3d membarrier"
)
MORE_STRESSORS += (
    " memcpy mergesort misaligned mprotect null radixsort randlist regs rename seek skiplist timer"
)
MORE_STRESSORS += " tsearch urandom utime vecfp vecmath vecshuf vecwide wcs zero"
OPERATIONS = 2
# As many threads as Linux lets it have are more than an LWK lets it.
MORE_WORDS = {"pthread": ["--pthread-max", "32"]}


def stress(stressors: list[str]) -> list[str]:
    words = ["stress-ng", "--log-brief", "--metrics-brief", "--verify", "--timeout", "100"]
    for name in stressors:
        words += [f"--{name}", "1", f"--{name}-ops", str(OPERATIONS), *MORE_WORDS.get(name, [])]
    return words


def without_times(said: str) -> list[str]:
    """But for rates, times and ids: what was run, how many operations of what, and what went wrong."""
    lines = []
    for line in said.splitlines():
        if re.search(
            r" per (sec|item|call|seek)| to start a pthread| \(secs\)|real time|miscellaneous", line
        ):
            continue
        line = re.sub(r"(\[\d+\]|in [0-9.]+s.*$|( +[0-9.]+){5}$)", "", line)
        lines.append(re.sub(" +", " ", line).strip())
    return lines


def compare_stress(host: Enclave, stressors: list[str]) -> None:
    preload = ["env", "LD_PRELOAD=/tmp/fork_in_place.so"]
    on_linux = run(host, *preload, *stress(stressors))
    assert on_linux.status == 0, on_linux
    there = run(host, *preload, "lwkexec", "-p", LWK, "--", *stress(stressors))
    said = without_times(on_linux.text + on_linux.complaint)
    counted = [line.split()[0] for line in said if re.search(" [1-9][0-9]*$", line)]
    assert set(stressors) <= set(counted), said
    assert without_times(there.text + there.complaint) == said
    assert there.status == 0


def test_stress_ng_verifies_on_an_lwk_what_it_verifies_on_the_host(host: Enclave) -> None:
    compare_stress(host, STRESSORS.split())


def test_stress_ng_by_itself_says_that_there_is_no_fork_yet(host: Enclave) -> None:
    done = run(host, "lwkexec", "-p", LWK, "--", *stress(["cpu"]))
    assert "Cannot fork: errno=38 (Function not implemented)" in done.complaint


@pytest.mark.soak
@pytest.mark.parametrize("stressor", MORE_STRESSORS.split())
def test_stressor_verifies_on_an_lwk_what_it_verifies_on_the_host(stressor: str, host: Enclave) -> None:
    compare_stress(host, [stressor])
