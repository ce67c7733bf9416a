# SPDX-License-Identifier: Apache-2.0
"""The C tests of the IKC headers and of the Linux driver (tests/native/Makefile) as part of the suite."""

import os
import subprocess
from pathlib import Path

import pytest

HERE = Path(__file__).parent


def run_make(target: str, **environment: str) -> None:
    # --keep-going: one run shows everything that fails.
    command = ["make", "-C", str(HERE), "--keep-going", "--silent", target]
    result = subprocess.run(
        command,
        env=os.environ | environment,
        text=True,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    assert result.returncode == 0, f"make {target}\n{result.stdout}"


def test_ikc_headers_stand_alone() -> None:
    run_make("check-headers")


@pytest.mark.timeout(900)
def test_ikc_headers_and_linux_driver_do_what_is_promised() -> None:
    run_make("check-programs")


@pytest.mark.timeout(900)
def test_ikc_headers_withstand_a_peer_that_libfuzzer_plays() -> None:
    run_make("check-fuzz")


@pytest.mark.timeout(900)
def test_ikc_tests_find_faults_put_into_headers_and_driver() -> None:
    run_make("check-mutants")


@pytest.mark.soak
@pytest.mark.timeout(3600)
def test_ikc_headers_and_linux_driver_do_what_is_promised_for_long() -> None:
    run_make("soak", IKC_SOAK="1")
