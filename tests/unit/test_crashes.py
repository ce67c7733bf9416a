# SPDX-License-Identifier: Apache-2.0
"""Crash bundles of fake QEMUs: when there is one, what is in it, and that nobody waits for it in vain."""

import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest

from orchestrator import crash_folder, enclave
from orchestrator.client import Client
from orchestrator.crash_folder import bundles_of, draft_of, forget_old, load_story
from orchestrator.errors import EnclaveError, GuestError, UsageError
from orchestrator.run import RunFolder
from tests.unit.enclaves import SHORT, Computer, eventually, fails_with, state, type_in
from tests.unit.fake_qemu import CALLER, CODE, SLOW_S

pytestmark = pytest.mark.usefixtures("impatient")


def stories(client: Client) -> list[dict[str, Any]]:
    client.settle()
    return [load_story(bundle) for bundle in bundles_of(client.run)]


def frames(story: dict[str, Any]) -> list[int]:
    return [int(frame["address"], 16) for cpu in story["cpus"] for frame in cpu["frames"]]


def test_panic_is_told_with_all_that_belongs_to_it(computer: Computer) -> None:
    client = computer.up()
    client.command("lwk0", "panic")
    eventually(lambda: state(client, "lwk0")[0] == "PANICKED")
    (story,) = stories(client)
    assert (story["partition"], story["number"], story["fault"]) == ("lwk0", 1, "panic")
    assert story["panic_text"].splitlines()[0] == "panic asked for by the monitor"
    assert (story["state"], story["incarnation"]) == ("PANICKED", 1)
    assert 0 < story["uptime_s"] <= story["t"] < 60
    (cpu,) = story["cpus"]
    assert (cpu["cpu"], cpu["died"], cpu["state"]) == (1, True, "running")
    # Its frame is in its RAM, which is the supervisor's.
    assert frames(story) == [CODE, CALLER + 1]
    assert [other["state"] for other in story["others"]] == ["READY", "READY"]
    assert story["qemu"]["version"] == "7.2.22 fake"
    assert story["left_out"] == []
    # As they were before anybody heard of it.
    assert {link["peer"]: link["here"]["state"] for link in story["links"]} == {"host": "RUN", "lwk1": "RUN"}

    bundle = Path(story["bundle"])
    assert bundle == client.run.crashes / "1-lwk0"
    assert {"consoles.log", "kernel-host.log", "kernel-lwk0.log", "links.txt"} <= set(os.listdir(bundle))
    assert json.loads((bundle / "plan.json").read_text())["name"] == "fake"
    assert "qemu-system-x86_64" in (bundle / "command.txt").read_text()
    assert "RIP=" in (bundle / "registers.txt").read_text()
    assert f"{CALLER + 1:016x}" in (bundle / "backtraces.txt").read_text()
    text = (bundle / "consoles.log").read_text()
    assert [line.split()[1] for line in text.splitlines() if "fake kernel" in line].count("lwk0") == 1
    assert bundle.stat().st_mode & 0o077 == 0
    events = [json.loads(line) for line in client.run.events.read_text().splitlines()]
    assert [each["bundle"] for each in events if each["event"] == "crash"] == [str(bundle)]


def test_one_fault_is_one_crash(computer: Computer) -> None:
    client = computer.up()
    client.command("lwk0", "panic")
    eventually(lambda: state(client, "lwk0")[0] == "PANICKED")
    client.kill("lwk0")
    assert state(client, "lwk0")[0] == "EXITED"
    assert [story["fault"] for story in stories(client)] == ["panic"]
    client.restart("lwk0")
    client.kill("lwk0")
    assert [(story["fault"], story["incarnation"]) for story in stories(client)] == [
        ("panic", 1),
        ("exit", 2),
    ]


def test_what_was_asked_for_is_no_crash(computer: Computer) -> None:
    client = computer.up()
    client.command("lwk0", "restart")
    eventually(lambda: client.status()["partitions"][1]["incarnation"] == 2)
    eventually(lambda: state(client, "lwk0")[0] == "READY")
    client.restart("lwk0")
    client.command("lwk0", "shutdown")
    eventually(lambda: state(client, "lwk0")[0] == "EXITED")
    client.pause("lwk1")
    assert stories(client) == []
    client.down()
    assert bundles_of(client.run) == []


def test_hang_is_told_while_it_lasts_and_again_when_it_comes_again(computer: Computer) -> None:
    client = computer.up()
    for count in (1, 2):
        type_in(client, "lwk0", "hang")
        eventually(lambda: state(client, "lwk0")[0] == "HUNG")
        assert [story["fault"] for story in stories(client)] == ["hang"] * count
        type_in(client, "lwk0", "wake")
        eventually(lambda: state(client, "lwk0")[0] == "READY")


def test_triple_fault_is_told_from_a_reset_and_linux_has_its_stack_saved(
    computer: Computer, tmp_path: Path
) -> None:
    client = computer.up()
    type_in(client, "lwk0", "triple")
    eventually(lambda: state(client, "lwk0")[0] == "EXITED")
    type_in(client, "lwk1", "reset")
    eventually(lambda: state(client, "lwk1")[0] == "EXITED")
    client.command("host", "panic")
    with pytest.raises(GuestError, match="host: guest panicked: panic asked") as raised:
        client.death("host")
    assert "`enclave crash fake` tells the story" in raised.value.hint
    client.settle()
    triple, reset, panic = (load_story(bundle) for bundle in bundles_of(client.run))
    assert [each["fault"] for each in (triple, reset, panic)] == ["triple fault", "reset", "panic"]
    assert ("IDT" in triple["cpus"][0]["no_way"], triple["cpus"][0]["died"]) == (True, True)
    assert (reset["cpus"][0]["no_way"], reset["cpus"][0]["died"]) == ("", False)
    assert frames(panic) == [CODE]
    assert not list(Path(panic["bundle"]).glob("stack-*"))

    client.dump("lwk0", tmp_path / "core")
    assert (tmp_path / "core").read_bytes() == b"\x7fELF"
    assert not client.status()["partitions"][1]["paused"]
    client.kill("lwk0")
    message = fails_with(UsageError, client.dump, "lwk0", tmp_path / "core")
    assert message == "no QEMU runs lwk0: its memory went with it"


def test_late_kernel_is_a_hang_whose_error_names_the_story(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(enclave, "patience", lambda accelerator, cpus: SHORT._replace(ready_s=2))
    client = computer.start(lwk0="late")
    with pytest.raises(EnclaveError) as raised:
        client.wait()
    assert raised.value.exit_status == 5
    assert "`enclave crash fake` tells the story" in raised.value.hint
    # On a busy computer the others may be late as well.
    (story,) = [each for each in stories(client) if each["partition"] == "lwk0"]
    assert story["fault"] == "hang"
    assert "did not become READY" in story["reason"]


def test_restart_waits_until_all_is_taken_and_others_do_not(computer: Computer) -> None:
    client = computer.up(lwk0="slow")
    begin = time.monotonic()
    client.command("lwk0", "panic")
    eventually(lambda: state(client, "lwk0")[0] == "PANICKED")
    assert client.command("lwk1", "panic") == {"answer": "DONE"}
    client.restart("lwk0")
    assert time.monotonic() - begin > SLOW_S
    assert state(client, "lwk0") == ("READY", "")
    lwk0 = next(story for story in stories(client) if story["partition"] == "lwk0")
    assert frames(lwk0) == [CODE, CALLER + 1]
    assert lwk0["left_out"] == []
    client.command("lwk0", "panic")
    client.down()
    assert sorted(load_story(bundle)["partition"] for bundle in bundles_of(client.run)) == [
        "lwk0",
        "lwk0",
        "lwk1",
    ]


def test_killed_supervisor_leaves_no_half_bundle(computer: Computer) -> None:
    client = computer.up(lwk0="slow")
    client.command("lwk0", "panic")
    eventually(lambda: draft_of(client.run.crashes / "1-lwk0").is_dir())
    os.kill(client.status()["supervisor_pid"], signal.SIGKILL)
    eventually(lambda: not client.run.is_running())
    assert bundles_of(client.run) == []
    os.close(client.run.claim())
    assert not client.run.crashes.exists()


def test_writer_that_fails_is_told_and_harms_nobody(
    computer: Computer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("orchestrator.crashes.sys.executable", "/bin/false")
    client = computer.up()
    client.kill("lwk0")
    assert stories(client) == []
    events = [json.loads(line) for line in client.run.events.read_text().splitlines()]
    (told,) = [each for each in events if each["event"] == "no crash bundle"]
    assert "its writer ended with" in told["why"]
    assert list(client.run.crashes.iterdir()) == []
    client.restart("lwk0")


# ---- the folder ----


def test_old_bundles_go_and_the_rest_keep_their_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(crash_folder, "KEPT", 2)
    run = RunFolder("duo", tmp_path)
    for name in ("2-lwk1", "9-lwk0", "10-host", ".11-host", "notes-1"):
        (run.crashes / name).mkdir(parents=True)
    forget_old(run)
    assert [path.name for path in bundles_of(run)] == ["9-lwk0", "10-host"]
    assert sorted(path.name for path in run.crashes.iterdir()) == [".11-host", "10-host", "9-lwk0", "notes-1"]


@pytest.mark.parametrize("content", [None, "{", "\xff"])
def test_bundle_that_somebody_damaged_is_told(tmp_path: Path, content: str | None) -> None:
    if content is not None:
        (tmp_path / "crash.json").write_text(content)
    assert "is no crash bundle that can be read" in fails_with(EnclaveError, load_story, tmp_path)
