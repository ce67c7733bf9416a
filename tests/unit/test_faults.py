# SPDX-License-Identifier: Apache-2.0
"""Faults that the supervisor injects, with real processes and sockets, and fake QEMUs."""

import json
import threading
import time
from typing import Any

import pytest

from orchestrator.client import Client
from orchestrator.errors import EnclaveError, UsageError
from orchestrator.fault_log import EACH_MAX
from tests.unit.enclaves import SHORT, Computer, eventually, fails_with, partition, state

pytestmark = pytest.mark.usefixtures("impatient")


def faults(client: Client) -> list[dict[str, Any]]:
    events = map(json.loads, client.run.events.read_text().splitlines())
    return [event for event in events if event["event"] == "fault"]


# ---- a partition ----


def test_paused_is_not_taken_for_hung_and_runs_on(computer: Computer) -> None:
    client = computer.up()
    heartbeat = partition(client, "lwk0")["heartbeat"]
    client.pause("lwk0")
    assert partition(client, "lwk0")["paused"]
    # Longer than the answer to a probe may take.
    time.sleep(1.5 * SHORT.answer_s)
    assert state(client, "lwk0") == ("READY", "")
    refused = fails_with(UsageError, client.command, "lwk0", "panic")
    assert refused == "lwk0 cannot be asked: it is paused"

    client.resume("lwk0")
    assert not partition(client, "lwk0")["paused"]
    eventually(lambda: partition(client, "lwk0")["heartbeat"] > heartbeat)
    assert "HUNG" not in client.run.events.read_text()
    assert [(each["partition"], each["fault"]) for each in faults(client)] == [
        ("lwk0", "pause"),
        ("lwk0", "continue"),
    ]


def test_paused_one_is_powered_off_in_order(computer: Computer) -> None:
    client = computer.up()
    client.pause("lwk1")
    assert client.down()["partitions"]["lwk1"] == "powered off"


def test_paused_one_restarts(computer: Computer) -> None:
    client = computer.up()
    client.pause("lwk0")
    client.restart("lwk0")
    assert not partition(client, "lwk0")["paused"]
    assert state(client, "lwk0") == ("READY", "")


def test_dead_one_is_neither_paused_nor_resumed(computer: Computer) -> None:
    client = computer.up()
    client.kill("lwk0")
    assert fails_with(UsageError, client.pause, "lwk0") == "lwk0 cannot be paused: it is EXITED"
    assert fails_with(UsageError, client.resume, "lwk0") == "lwk0 cannot run on: it is EXITED"


# ---- doorbells ----


def test_faults_of_doorbells_need_interposing(computer: Computer) -> None:
    client = computer.up()
    for ask in (client.add_doorbell_rule, client.doorbell_rules, client.clear_doorbell_rules):
        with pytest.raises(UsageError) as raised:
            ask()
        assert raised.value.message == "the doorbells of enclave fake go from QEMU to QEMU"
        assert raised.value.hint == "start it with: enclave up --interpose SPEC"


def test_interposed_enclave_lives_and_its_probes_meet_no_rule_that_does_not_name_the_monitor(
    computer: Computer,
) -> None:
    client = computer.up(interpose=True)
    client.add_doorbell_rule(drop=1.0)
    heartbeat = partition(client, "lwk0")["heartbeat"]
    eventually(lambda: partition(client, "lwk0")["heartbeat"] > heartbeat + 2)
    assert client.doorbell_rules()[0]["met"] == 0

    client.add_doorbell_rule("monitor", "lwk0", drop=1.0)
    eventually(lambda: state(client, "lwk0") == ("HUNG", "did not answer a probe within 1 s"))
    assert state(client, "lwk1")[0] == "READY"
    gone = client.clear_doorbell_rules()
    assert [(each["rule"], each["from"], each["to"]) for each in gone] == [
        (1, None, None),
        (2, "monitor", "lwk0"),
    ]
    assert gone[1]["dropped"] == gone[1]["met"] > 0
    eventually(lambda: state(client, "lwk0") == ("READY", ""))


def test_every_doorbell_fault_is_logged_and_of_a_storm_only_the_first(computer: Computer) -> None:
    client = computer.up(interpose=True)
    count = EACH_MAX + 500
    client.add_doorbell_rule("host", "lwk1", 1, drop=0.5, duplicate=0.5, delay_s=0.001, seed=9)
    client.add_doorbell_rule("host", "lwk0", drop=1.0)
    assert client.storm("host", "lwk1", 1, rate=50, seconds=0.4) == 20
    assert client.storm("host", "lwk0", 3, rate=10_000, seconds=count / 10_000) == count
    small, large = client.clear_doorbell_rules()

    each = [fault for fault in faults(client) if fault["fault"].startswith("doorbell d")]
    of_small = [fault for fault in each if fault["rule"] == 1]
    assert [fault["n"] for fault in of_small] == list(range(20)), "each is late, or lost"
    assert sum("dropped" in fault["fault"] for fault in of_small) == small["dropped"]
    assert sum("delayed" in fault["fault"] for fault in of_small) == small["delayed"] == 20 - small["dropped"]
    assert (of_small[0]["partition"], of_small[0]["to"], of_small[0]["vector"]) == ("host", "lwk1", 1)
    assert sum(fault["rule"] == 2 for fault in each) == EACH_MAX
    assert large["dropped"] == large["met"] == count
    words = [fault["fault"] for fault in faults(client) if fault not in each]
    assert words == [
        *["doorbell rule added"] * 2,
        *["storm begins", "storm over"],
        *["storm begins", "doorbells are only counted from here on", "storm over"],
        *["doorbell rule removed"] * 2,
    ]


def test_same_seed_gives_the_same_faults_in_another_run(computer: Computer) -> None:
    def run() -> list[tuple[int, str, float]]:
        client = computer.up(interpose=True)
        client.add_doorbell_rule(drop=0.3, duplicate=0.2, delay_s=0.001, seed=77)
        client.storm("lwk0", "lwk1", 4, rate=1000, seconds=0.2)
        client.down()
        each = [fault for fault in faults(client) if "n" in fault]
        return [(fault["n"], fault["fault"], fault["delay_s"]) for fault in each]

    first = run()
    assert len(first) == 200
    assert run() == first


def test_rules_that_are_left_end_with_the_enclave_and_are_told(computer: Computer) -> None:
    client = computer.up(interpose=True)
    client.add_doorbell_rule("monitor", drop=1.0)
    assert set(client.down()["partitions"].values()) == {"powered off"}
    assert faults(client)[-1]["fault"] == "doorbell rule removed"


def test_unusable_rules_are_refused(computer: Computer) -> None:
    client = computer.up(interpose=True)
    assert "no partition 'lwk9'" in fails_with(UsageError, client.add_doorbell_rule, "lwk9")
    assert fails_with(UsageError, client.add_doorbell_rule, None, None, 6) == "there is no vector 6"
    assert fails_with(UsageError, client.storm, "lwk0", "lwk0", 0, 1, 1) == "lwk0 does not ring itself"
    assert "`rate` is 0" in fails_with(UsageError, client.storm, "lwk0", "lwk1", 0, 0, 1)


def test_storm_needs_no_interposing(computer: Computer) -> None:
    client = computer.up()
    assert client.storm("lwk0", "host", 0, rate=1000, seconds=0.1) == 100
    assert state(client, "host") == ("READY", "")


# ---- the region ----


def test_scribble_is_logged_and_the_supervisor_lives(computer: Computer) -> None:
    client = computer.up()
    assert client.scribble("lwk0", "all", seed=3, rate=20_000, seconds=0.5) == 10_000
    begin, over = faults(client)
    assert (begin["partition"], begin["fault"], begin["group"]) == ("lwk0", "scribble begins", "all")
    assert (over["fault"], over["seed"], over["count"]) == ("scribble over", 3, 10_000)
    client.status()
    assert state(client, "lwk1") == state(client, "host") == ("READY", "")
    client.restart("lwk0")
    eventually(lambda: state(client, "lwk0") == ("READY", ""))


def test_unusable_scribbles_are_refused(computer: Computer) -> None:
    client = computer.up()

    def refused(name: str, group: str, peer: str | None = None) -> str:
        return fails_with(UsageError, client.scribble, name, group, 1, 10, 1, peer)

    assert refused("lwk0", "mailbox") == "there is no group 'mailbox'"
    assert refused("lwk0", "log", peer="host") == "log is there once, not for each peer"
    assert refused("lwk0", "cursors", peer="lwk0") == "lwk0 has no link to itself"


def test_fault_ends_with_the_enclave(computer: Computer) -> None:
    client = computer.up()
    told: list[EnclaveError] = []

    def scribble() -> None:
        with pytest.raises(EnclaveError) as raised:
            client.scribble("lwk0", "pool", seed=1, rate=1000, seconds=600)
        told.append(raised.value)

    thread = threading.Thread(target=scribble)
    thread.start()
    eventually(lambda: bool(faults(client)))
    client.down()
    thread.join(30)
    assert [error.message for error in told] == ["the enclave ended before the fault did"]
