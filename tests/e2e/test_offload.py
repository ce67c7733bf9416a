# SPDX-License-Identifier: Apache-2.0
"""What makes programs on an LWK fast changes nothing of what they do: looking for answers, kept images."""

import subprocess
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import build_program, install

LWK = "lwk0"
PROGRAM = "/tmp/user_mode_offload"
OWN = "/tmp/own_text"


@pytest.fixture(scope="module")
def programs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    return {
        PROGRAM: build_program("user_mode", tmp_path_factory),
        OWN: build_program("own_text", tmp_path_factory),
    }


@pytest.fixture
def host(duo: Enclave, programs: dict[str, Path]) -> Enclave:
    """duo, with these programs in its host."""
    if duo.host.run("test", "-x", OWN).status:
        for name, made in programs.items():
            install(duo, made, name)
    return duo


@pytest.mark.parametrize("us", ["0", "1000"])
def test_threads_and_blocked_calls_go_on_however_long_both_sides_look(us: str, host: Enclave) -> None:
    for deed in ("threads", "blocked", "signals"):
        there = host.host.run("timeout", "60", "lwkexec", "-p", LWK, "--poll", us, PROGRAM, deed)
        assert there == host.host.run(PROGRAM, deed), deed


def test_time_to_look_that_cannot_be_is_refused(host: Enclave) -> None:
    for bad in ("-1", "soon", "100001", ""):
        done = host.host.run("lwkexec", "-p", LWK, "--poll", bad, PROGRAM, "time")
        assert done.status == 125, bad
        assert "must be microseconds, at most 100000" in done.complaint, bad


def test_program_finds_its_file_in_memory_whatever_the_last_one_wrote_there(
    host: Enclave, tmp_path: Path
) -> None:
    """An image is kept once the file is two seconds old, unless somebody has written to it."""
    run = f"lwkexec -p {LWK} {OWN}"
    is_old = f"test $(($(date +%s) - $(stat -c %Z {OWN}))) -ge 2"
    loop = f"until {is_old}; do {run}; test $? = 7 || exit 1; done; {run}; test $? = 7 && {run}"
    assert host.host.run("timeout", "60", "sh", "-c", loop).status == 7
    other = tmp_path / "other"
    source = Path(__file__).parent / "programs" / "own_text.c"
    subprocess.run(["gcc", "-std=gnu11", "-O1", "-static", "-DSTATUS=8", "-o", other, source], check=True)
    host.host.session().put(other, f"{OWN}.other")
    assert host.host.run("sh", "-c", f"cat {OWN}.other >{OWN}; {run}").status == 8
