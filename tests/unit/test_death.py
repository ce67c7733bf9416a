# SPDX-License-Identifier: Apache-2.0
"""Work in a partition that dies, hangs, or does neither; the supervisor is a thread (fake_supervisor.py)."""

import threading
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from orchestrator.client import Client
from orchestrator.death import DeathWatch, require_alive
from orchestrator.errors import EnclaveError, GuestError, HangError, UsageError
from orchestrator.run import RunFolder
from orchestrator.ssh import SshError
from tests.unit.fake_supervisor import FakeSupervisor

DEATH = [{"error": {"message": "host: guest panicked: no init", "hint": "mend it", "exit_status": 4}}]


@pytest.fixture
def supervisor(tmp_path: Path) -> Iterator[FakeSupervisor]:
    with closing(FakeSupervisor(RunFolder("duo", tmp_path))) as made:
        yield made


def hang(supervisor: FakeSupervisor) -> None:
    partitions: list[dict[str, Any]] = supervisor.status["partitions"]
    partitions[0] |= {"state": "HUNG", "reason": "did not answer"}


def watch(supervisor: FakeSupervisor) -> tuple[DeathWatch, threading.Event]:
    closed = threading.Event()
    watching = DeathWatch(Client(supervisor.run), "host")
    watching.closes(closed.set)
    return watching, closed


def fail(watching: DeathWatch, error: EnclaveError) -> None:
    with watching.blames():
        raise error


def test_death_ends_the_work_with_its_reason(supervisor: FakeSupervisor) -> None:
    supervisor.answers["death"] = DEATH
    watching, closed = watch(supervisor)
    assert closed.wait(10)
    with pytest.raises(GuestError, match="guest panicked"):
        fail(watching, SshError("the connection broke"))


def test_hang_is_why_the_work_failed(supervisor: FakeSupervisor) -> None:
    supervisor.answers["death"] = [{"ok": {}}]
    hang(supervisor)
    watching, _ = watch(supervisor)
    with pytest.raises(HangError, match="host: did not answer") as raised:
        fail(watching, SshError("no answer"))
    assert "`enclave crash duo` tells the story" in raised.value.hint


def test_other_failures_stay_what_they_are(supervisor: FakeSupervisor) -> None:
    supervisor.answers["death"] = [{"ok": {}}]
    watching, _ = watch(supervisor)
    with pytest.raises(SshError, match="wrong key"):
        fail(watching, SshError("wrong key"))


def test_nobody_waits_for_one_that_has_ended(supervisor: FakeSupervisor) -> None:
    client, host = Client(supervisor.run), supervisor.status["partitions"][0]
    require_alive(client, host)
    host |= {"state": "EXITED", "reason": "powered off"}
    supervisor.answers["death"] = [{"ok": {}}]
    with pytest.raises(UsageError, match="host has ended: powered off"):
        require_alive(client, host)
    supervisor.answers["death"] = DEATH
    with pytest.raises(GuestError, match="guest panicked"):
        require_alive(client, host)
