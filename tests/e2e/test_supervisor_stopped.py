# SPDX-License-Identifier: Apache-2.0
"""Kernels need no supervisor to talk, and one that was away for a while blames nobody."""

import json
import os
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from orchestrator.pytest_plugin import Enclave

STOPPED_S = 10.0  # longer than a kernel may take to answer a probe
PROBED_WITHIN_S = 60.0


@contextmanager
def stopped(pid: int) -> Iterator[None]:
    os.kill(pid, signal.SIGSTOP)
    try:
        while Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "T":
            os.sched_yield()
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def test_kernels_talk_on_without_their_supervisor_and_nobody_is_taken_for_hung(duo: Enclave) -> None:
    before = duo.status()
    hung = [event for event in duo.events("state") if event["state"] == "HUNG"]
    duo.host.session()  # its port is asked of the supervisor
    rounds = 0
    with stopped(before["supervisor_pid"]):
        begin = time.monotonic()
        while rounds < 2 or time.monotonic() < begin + STOPPED_S:
            for lwk, direction in (("lwk0", "--to"), ("lwk1", "--from")):
                ping = ("ikcctl", "ping", lwk, "-c", "2", "-i", "0.1", "-W", "30", "--json")
                assert json.loads(duo.host.succeed(*ping))["answered"] == 2
                words = ("ikcctl", "stream", lwk, direction, "--count", "500", "--json")
                assert json.loads(duo.host.succeed(*words))["fault"] is None
            rounds += 1

    heartbeats = {each["name"]: each["heartbeat"] for each in duo.status()["partitions"]}
    after = duo.wait_for(
        lambda status: all(each["heartbeat"] > heartbeats[each["name"]] for each in status["partitions"]),
        "everybody probed again",
        PROBED_WITHIN_S,
    )
    for was, now in zip(before["partitions"], after["partitions"], strict=True):
        assert (now["state"], now["incarnation"], now["pid"]) == ("READY", was["incarnation"], was["pid"])
        assert set(now["links"].values()) == {"RUN"}
    assert [event for event in duo.events("state") if event["state"] == "HUNG"] == hung
