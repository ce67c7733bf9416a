# SPDX-License-Identifier: Apache-2.0
import os
import subprocess
import sys
from pathlib import Path

import pytest

from orchestrator.errors import DeadlineError, EnvironmentFault, UsageError
from orchestrator.run import AlreadyRunning, RunFolder, list_runs, runtime_folder


@pytest.fixture(autouse=True)
def runtime(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    folder = tmp_path / "runtime"
    monkeypatch.setenv("ENCLAVE_RUNTIME_DIR", str(folder))
    return folder


def test_runtime_folder_is_what_was_chosen_or_the_sessions_or_in_tmp(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    assert runtime_folder() == tmp_path / "runtime"
    monkeypatch.delenv("ENCLAVE_RUNTIME_DIR")
    assert runtime_folder() == tmp_path / "enclave"
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path / "gone"))
    assert runtime_folder() == Path(f"/tmp/enclave-{os.getuid()}")


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_session_folder_of_somebody_else_is_not_ours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("ENCLAVE_RUNTIME_DIR")
    monkeypatch.setenv("XDG_RUNTIME_DIR", str(tmp_path))
    os.chown(tmp_path, 4711, -1)
    assert runtime_folder() == Path(f"/tmp/enclave-{os.getuid()}")


def test_claim_makes_private_folders_and_says_running_until_every_copy_is_closed(runtime: Path) -> None:
    run = RunFolder("duo")
    assert not run.is_running()
    lock = run.claim()
    assert runtime.stat().st_mode & 0o777 == run.path.stat().st_mode & 0o777 == 0o700
    assert run.is_running()
    assert run.is_running()
    copy = os.dup(lock)
    os.close(lock)
    assert run.is_running()
    os.close(copy)
    assert not run.is_running()


def test_lock_lasts_as_long_as_a_process_that_inherited_it() -> None:
    run = RunFolder("duo")
    lock = run.claim()
    child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[lock])
    os.close(lock)
    assert run.is_running()
    child.kill()
    child.communicate()
    assert not run.is_running()


def test_a_second_claim_is_refused_and_changes_nothing() -> None:
    run = RunFolder("duo")
    lock = run.claim()
    run.events.write_text("kept")
    with pytest.raises(AlreadyRunning, match="enclave duo is running already"):
        run.claim()
    with pytest.raises(AlreadyRunning):
        run.remove()
    assert run.events.read_text() == "kept"
    os.close(lock)


def test_claim_empties_the_folder_of_the_run_before(tmp_path: Path) -> None:
    run = RunFolder("duo")
    os.close(run.claim())
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "precious").touch()
    (run.path / "core").mkdir()
    (run.path / "core" / "dump").touch()
    (run.path / "link").symlink_to(outside)
    run.events.touch()
    os.close(run.claim())
    assert os.listdir(run.path) == ["lock"]
    assert (outside / "precious").exists()


@pytest.mark.skipif(os.getuid() != 0, reason="only root can give a folder to somebody else")
def test_a_folder_of_somebody_else_is_refused(runtime: Path) -> None:
    runtime.mkdir()
    os.chown(runtime, 4711, -1)
    with pytest.raises(EnvironmentFault, match="belongs to user 4711"):
        RunFolder("duo").claim()
    with pytest.raises(EnvironmentFault, match="belongs to user 4711"):
        list_runs()


def test_a_folder_that_others_may_write_is_refused(runtime: Path) -> None:
    runtime.mkdir()
    runtime.chmod(0o777)
    with pytest.raises(EnvironmentFault, match="others may write"):
        RunFolder("duo").claim()


def test_a_link_in_place_of_the_folder_is_refused(runtime: Path, tmp_path: Path) -> None:
    runtime.symlink_to(tmp_path)
    with pytest.raises(EnvironmentFault, match="is not a directory"):
        RunFolder("duo").claim()


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "-x", "a b", "x" * 65, "duo\n"])
def test_names_that_are_no_names(name: str) -> None:
    with pytest.raises(UsageError, match="cannot be the name"):
        RunFolder(name)


def test_socket_paths_that_are_too_long_are_told_before_anything_starts() -> None:
    limit = 107 - len("/duo/qmp-lwk0.sock")
    RunFolder("duo", Path("/" + "x" * (limit - 1))).check_socket_paths(("lwk0",))
    with pytest.raises(EnvironmentFault, match=r"qmp-lwk0\.sock is 108 bytes long; .* may have 107"):
        RunFolder("duo", Path("/" + "x" * limit)).check_socket_paths(("lwk0",))


def test_runs_are_listed_by_name_whether_they_run_or_not(runtime: Path) -> None:
    assert list_runs() == []
    lock = RunFolder("b").claim()
    os.close(RunFolder("a").claim())
    (runtime / "no run").mkdir()
    assert [(run.name, run.is_running()) for run in list_runs()] == [("a", False), ("b", True)]
    os.close(lock)
    RunFolder("a").remove()
    assert [run.name for run in list_runs()] == ["b"]


def test_waiting_for_the_end_has_a_deadline() -> None:
    run = RunFolder("duo")
    lock = run.claim()
    with pytest.raises(DeadlineError, match=r"did not end within 0\.01 s"):
        run.wait_until_over(0.01)
    os.close(lock)
    run.wait_until_over(0.01)
