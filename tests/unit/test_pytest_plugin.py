# SPDX-License-Identifier: Apache-2.0
"""The plugin, in a pytest of its own, with a fake supervisor in place of every enclave."""

import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from orchestrator import launch
from orchestrator.errors import GuestError
from orchestrator.plan import Plan
from orchestrator.run import RunFolder
from orchestrator.standby import Standby
from tests.unit.fake_supervisor import FakeSupervisor

SOLO = Path(__file__).parents[2] / "specs" / "solo.yaml"
HEAD = f'import pytest\nSOLO = "{SOLO}"\n'


@pytest.fixture(autouse=True)
def supervisors(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[FakeSupervisor]]:
    """Those that were started, with what they were asked."""
    started: list[FakeSupervisor] = []

    def fake(
        waiting: Standby, plan: Plan, run: RunFolder, asked: str, teller: launch.Teller
    ) -> dict[str, Any]:
        started.append(FakeSupervisor(run))
        return started[-1].status

    monkeypatch.setattr(launch, "launch", fake)
    yield started
    for supervisor in started:
        supervisor.close()
        shutil.rmtree(supervisor.run.runtime, ignore_errors=True)


def run_tests(pytester: pytest.Pytester, code: str) -> pytest.RunResult:
    pytester.makepyfile(HEAD + code)
    return pytester.runpytest_inprocess("-p", "no:cacheprovider", "-p", "no:hypothesispytest")


def test_marker_says_what_the_fixture_boots_and_it_ends_with_the_test(
    pytester: pytest.Pytester, supervisors: list[FakeSupervisor]
) -> None:
    code = """
@pytest.mark.enclave(SOLO)
def test_it(enclave):
    assert enclave.status()["enclave"] == enclave.name
    assert enclave.partition("lwk0")["state"] == "READY"
    enclave.fault("lwk0", "hang")
"""
    run_tests(pytester, code).assert_outcomes(passed=1)
    verbs = [request["verb"] for request in supervisors[0].requests]
    assert verbs == ["status", "status", "command", "down"]
    assert not supervisors[0].run.runtime.exists()


def test_enclaves_of_one_spec_have_names_of_their_own(
    pytester: pytest.Pytester, supervisors: list[FakeSupervisor]
) -> None:
    code = """
def test_it(enclave_factory):
    with enclave_factory(SOLO) as one, enclave_factory(SOLO) as two:
        assert one.name != two.name
        assert one.run.runtime == two.run.runtime
"""
    run_tests(pytester, code).assert_outcomes(passed=1)
    assert all(supervisor.requests[-1] == {"verb": "down"} for supervisor in supervisors)


def test_failed_test_keeps_the_run_folder_and_names_it(
    pytester: pytest.Pytester, supervisors: list[FakeSupervisor]
) -> None:
    code = """
@pytest.mark.enclave(SOLO)
def test_it(enclave):
    assert False
"""
    result = run_tests(pytester, code)
    result.assert_outcomes(failed=1)
    run = supervisors[0].run
    result.stdout.fnmatch_lines(["*run folders with the logs of enclaves*", str(run.path)])
    assert run.path.is_dir()
    assert not run.is_running()


def test_expired_wait_tells_what_was_waited_for_and_the_last_state(pytester: pytest.Pytester) -> None:
    code = """
@pytest.mark.enclave(SOLO)
def test_it(enclave):
    enclave.wait_for_state("lwk0", "PANICKED", deadline_s=0.1)
"""
    result = run_tests(pytester, code)
    result.stdout.fnmatch_lines(["*lwk0 PANICKED: not within 0.1 s*", "*lwk0 *READY*"])


def test_enclave_that_does_not_boot_is_an_error_of_the_setup(
    pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*arguments: object) -> None:
        raise GuestError("host: guest panicked")

    monkeypatch.setattr(launch, "launch", fail)
    code = """
@pytest.mark.enclave(SOLO)
def test_it(enclave):
    pass
"""
    result = run_tests(pytester, code)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines(["*host: guest panicked*"])
    result.stdout.no_fnmatch_line("*run folders*")


def test_fixture_without_its_marker_says_what_is_missing(pytester: pytest.Pytester) -> None:
    result = run_tests(pytester, "def test_it(enclave):\n    pass\n")
    result.stdout.fnmatch_lines(["*needs @pytest.mark.enclave*"])
