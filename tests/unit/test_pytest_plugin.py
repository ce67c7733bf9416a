# SPDX-License-Identifier: Apache-2.0
"""The plugin, in a pytest of its own, with a fake supervisor in place of every enclave."""

import os
import shutil
import signal
import subprocess
import sys
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
        waiting: Standby,
        plan: Plan,
        run: RunFolder,
        asked: str,
        teller: launch.Teller,
        interpose: bool,
    ) -> dict[str, Any]:
        started.append(FakeSupervisor(run))
        started[-1].status["interposed"] = interpose
        ok = {"ok": {"count": 1, "rules": []}}
        started[-1].answers = {
            verb: [ok] for verb in ("doorbell-rule", "doorbell-clear", "storm", "scribble")
        }
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


def test_faults_are_asked_for_and_rules_do_not_outlive_their_block(
    pytester: pytest.Pytester, supervisors: list[FakeSupervisor]
) -> None:
    code = """
@pytest.mark.enclave(SOLO, interpose=True)
def test_it(enclave):
    assert enclave.status()["interposed"]
    with pytest.raises(ValueError), enclave.doorbell_faults("host", "lwk0", 1, drop=0.5, seed=3):
        raise ValueError
    enclave.fault("lwk0", "pause")
    enclave.fault("lwk0", "continue")
    assert enclave.storm("host", "lwk0", 1, rate=10, seconds=2) == 1
    assert enclave.scribble("lwk0", "cursors", peer="host", seed=4) == 1
"""
    run_tests(pytester, code).assert_outcomes(passed=1)
    _, rule, clear, pause, resume, storm, scribble, _ = supervisors[0].requests
    assert (rule["from"], rule["to"], rule["vector"], rule["drop"], rule["seed"]) == (
        "host",
        "lwk0",
        1,
        0.5,
        3,
    )
    assert [each["verb"] for each in (clear, pause, resume)] == ["doorbell-clear", "pause", "continue"]
    assert (storm["rate"], storm["seconds"]) == (10, 2)
    assert (scribble["group"], scribble["peer"], scribble["seed"]) == ("cursors", "host", 4)


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


def test_failed_test_tells_what_crashed(pytester: pytest.Pytester, supervisors: list[FakeSupervisor]) -> None:
    code = """
import json
from tests.unit.test_crash_story import story

@pytest.mark.enclave(SOLO)
def test_it(enclave):
    for number in (1, 2):
        bundle = enclave.run.crashes / f"{number}-lwk0"
        bundle.mkdir(parents=True)
        (bundle / "crash.json").write_text(json.dumps(story(number=number, bundle=str(bundle))))
    assert [crash["number"] for crash in enclave.crashes()] == [1, 2]
    assert False
"""
    result = run_tests(pytester, code)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(
        [
            "*enclave crash*",
            "lwk0 panicked*crash 2 *",
            "*page_free, lwk/kernel/page_alloc.c:210*",
            "*/crash/1-lwk0",
        ]
    )
    assert "settle" in [request["verb"] for request in supervisors[0].requests]


FAKE_LAUNCH = """
import pytest
from orchestrator import launch
from tests.unit.fake_supervisor import FakeSupervisor

def fake(waiting, plan, run, *rest):
    return FakeSupervisor(run).status

launch.launch = fake
"""


def test_sigterm_ends_the_enclaves_of_a_pytest_first(pytester: pytest.Pytester) -> None:
    """As timeout(1) and CI systems end one."""
    pytester.makeconftest(FAKE_LAUNCH)
    pytester.makepyfile(
        HEAD
        + """
import signal

@pytest.fixture
def last():
    yield
    print("the fixtures let go")

@pytest.mark.enclave(SOLO)
def test_it(last, enclave):
    print(f"up {enclave.run.runtime}", flush=True)
    signal.pause()
"""
    )
    command = [sys.executable, "-m", "pytest", "-s", "-p", "no:cacheprovider"]
    environment = os.environ | {"PYTHONPATH": str(SOLO.parents[1])}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as child:
        assert child.stdout is not None
        runtime = Path(next(line for line in child.stdout if "up " in line).rpartition("up ")[2].strip())
        assert next(runtime.glob("*")).name == "solo-1"
        child.send_signal(signal.SIGTERM)
        told, _ = child.communicate(timeout=30)
    assert "the fixtures let go" in told
    assert "ended by SIGTERM" in told
    assert child.returncode == 128 + signal.SIGTERM
    assert not runtime.exists()
