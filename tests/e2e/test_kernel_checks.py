# SPDX-License-Identifier: Apache-2.0
"""Checks that others wrote: the same binary says line by line the same on an LWK as on the host."""

import difflib
import io
import re
import tarfile
from collections.abc import Iterator

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import ROOT
from tests.e2e.kernel_checks import build_checks

LWK = "lwk0"
FOLDER = "/tmp/checks"
DEADLINE_S = 60

# Those that sleep for seconds run beside the others, which want the CPUs for themselves.
SLEEPERS = [
    "futex_wait_uninitialized_heap",
    "futex_wait_private_mapped_file",
    "futex_requeue_pi_mismatched_ops",
]
CHECKS = [
    "nolibc-test",
    "sas",
    "futex_wait",
    "futex_waitv",
    "futex_wait_timeout",
    "futex_wait_wouldblock",
    "futex_requeue",
    "futex_requeue_pi_signal_restart",
]
# Of the twenty ways in which the check's own run.sh calls this one, those that differ in more than the time.
CHECKS += [f"futex_requeue_pi{options}" for options in ("", " -b", " -b -l", " -b -o", " -l", " -o")]
CHECKS += [f"futex_requeue_pi{options}" for options in (" -b -l -t 5000", " -t 500000", " -b -o -t 5000")]
# Some give another thread 10 ms to fall asleep: not always enough on a busy computer, on the host neither.
TRIES = 5

# The table of what is different, with reasons.
DOCUMENT = ROOT / "docs" / "user-mode.md"
HEADING = "## Checks that others wrote"

# What a check says on the host and not on an LWK, and the other way round.
Difference = tuple[list[str], list[str]]


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    made = tmp_path_factory.mktemp("checks")
    build_checks(made)
    file = io.BytesIO()
    with tarfile.open(fileobj=file, mode="w") as tar:
        tar.add(made, arcname=".")
    return file.getvalue()


@pytest.fixture
def host(duo: Enclave, archive: bytes) -> Iterator[Enclave]:
    """duo, with the checks in its host; what they leave there is removed."""
    if duo.host.run("test", "-d", FOLDER).status:
        duo.host.succeed("mkdir", FOLDER)
        assert duo.host.run("tar", "-C", FOLDER, "-xf", "-", input=archive).status == 0
    yield duo
    no_memory = "for on in 1 0; do echo $on >/proc/sys/kernel/shm_rmid_forced; done"
    duo.host.succeed("sh", "-c", f"rm -r {FOLDER}; {no_memory}")


def script(runner: str, checks: list[str]) -> str:
    """Runs checks one after the other; each says what it says and its status, behind a line with its name."""
    one = f"echo '=== {{0}}'; : | timeout {DEADLINE_S} {runner} ./{{0}} 2>&1; echo \"status $?\""
    return "; ".join(one.format(check) for check in checks)


def run(host: Enclave, runner: str, checks: list[str], beside: list[str]) -> dict[str, list[str]]:
    """The lines of each check."""
    quiet = [f"({script(runner, [check])}) >{check}.out &" for check in beside]
    line = f"cd {FOLDER}; {' '.join(quiet)} {script(runner, checks)}; wait"
    line += "; cat " + " ".join(f"{check}.out" for check in beside) if beside else ""
    said = host.host.run("sh", "-c", line, deadline_s=3 * DEADLINE_S)
    found: dict[str, list[str]] = {}
    for text in said.text.splitlines():
        if text.startswith("=== "):
            lines = found.setdefault(text.removeprefix("=== "), [])
        else:
            lines.append(plain(text))
    return found


def plain(line: str) -> str:
    """Without what is another number each time: ids of processes."""
    line = re.sub(r"(getpid|getppid|gettid|getpgid_self) = \d+", r"\1 = ID", line)
    return re.sub(" +", " ", line).strip()


def difference(on_linux: list[str], there: list[str]) -> Difference:
    lines = list(difflib.unified_diff(on_linux, there, n=0, lineterm=""))[2:]
    return [line[1:] for line in lines if line[0] == "-"], [line[1:] for line in lines if line[0] == "+"]


def documented() -> dict[str, Difference]:
    """By check, what the document says is different: rows of check, on the host, on an LWK, why."""
    _, _, section = DOCUMENT.read_text().partition(HEADING)
    found: dict[str, Difference] = {}
    for row in re.findall(r"^\| `(.+)$", section.split("\n## ")[0], re.M):
        name, on_linux, there, why, _ = row.split("|")
        assert why.strip(), f"{DOCUMENT}: no reason: {row}"
        lines = found.setdefault(name.strip(" `"), ([], []))
        lines[0].extend(re.findall("`([^`]+)`", on_linux))
        lines[1].extend(re.findall("`([^`]+)`", there))
    return found


def test_each_check_says_on_an_lwk_what_it_says_on_the_host_but_what_is_documented(host: Enclave) -> None:
    expected = documented()
    assert set(expected) <= {*CHECKS, *SLEEPERS}
    left, beside, wrong = CHECKS, SLEEPERS, {}
    for _ in range(TRIES):
        on_linux, there = (run(host, runner, left, beside) for runner in ("", f"lwkexec -p {LWK} --"))
        assert set(there) == set(on_linux) == {*left, *beside}
        found = {check: difference(on_linux[check], there[check]) for check in on_linux}
        wrong = {check: lines for check, lines in found.items() if lines != expected.get(check, ([], []))}
        left, beside = list(wrong), []
        if not wrong:
            break
    assert wrong == {}
