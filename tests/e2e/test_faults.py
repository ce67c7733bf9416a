# SPDX-License-Identifier: Apache-2.0
"""Faults put into partitions, doorbells and shared memory: who is not meant does not notice."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.scribble_groups import GROUPS
from tests.e2e.conftest import ROOT, CommandLine

CONTROL, DATA = 0, 1
BACK_WITHIN_S = 60.0
SILENT_S = 12.0  # longer than probes are apart and a kernel may take to answer one


@pytest.fixture(scope="module")
def interposed_of_module(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(ROOT / "specs" / "duo.yaml", interpose=True) as enclave:
        yield enclave


@pytest.fixture
def interposed(interposed_of_module: Enclave) -> Iterator[Enclave]:
    """Duo with its doorbells interposed, all READY; what a test broke is booted again for the next."""
    enclave = interposed_of_module
    yield enclave
    enclave.client.clear_doorbell_rules()
    for partition in enclave.status()["partitions"]:
        if partition["paused"]:
            enclave.fault(partition["name"], "continue")
        if partition["state"] != "READY":
            enclave.restart(partition["name"])


def ping(enclave: Enclave, peer: str, count: int) -> dict[str, Any]:
    words = ("ikcctl", "ping", peer, "-c", str(count), "-i", "0.05", "-W", "10", "--json")
    return dict(json.loads(enclave.host.run(*words).text))


def lives(enclave: Enclave, *names: str) -> list[tuple[object, ...]]:
    """What is still the same of a partition that did not notice."""
    return [
        (each["name"], each["index"], each["state"], each["incarnation"], each["pid"])
        for each in enclave.status()["partitions"]
        if each["name"] in names
    ]


def run_again(enclave: Enclave, name: str) -> None:
    """Waits until every link of a partition runs, and it answers the host."""
    enclave.wait_for(
        lambda _: set(enclave.partition(name)["links"].values()) == {"RUN"}, f"{name}'s links", BACK_WITHIN_S
    )
    assert ping(enclave, name, 2)["answered"] == 2


def logged(enclave: Enclave, fault: str) -> list[dict[str, Any]]:
    return [event for event in enclave.events("fault") if event["fault"].startswith(fault)]


# ---- a partition ----


@pytest.mark.parametrize(("fault", "state"), [("panic", "PANICKED"), ("hang", "HUNG"), ("kill", "EXITED")])
def test_partition_fails_as_asked_and_the_others_run_on(interposed: Enclave, fault: str, state: str) -> None:
    before = lives(interposed, "host", "lwk1")
    command = CommandLine(interposed.run.runtime)
    assert command("fault", fault, "lwk0", "-e", interposed.name).returncode == 0
    interposed.wait_for_state("lwk0", state, BACK_WITHIN_S)
    assert ping(interposed, "lwk1", 3)["answered"] == 3
    assert lives(interposed, "host", "lwk1") == before
    interposed.restart("lwk0")
    run_again(interposed, "lwk0")


def test_paused_partitions_are_not_taken_for_hung_and_go_on_where_they_were(interposed: Enclave) -> None:
    before = lives(interposed, "host", "lwk0", "lwk1")
    hung = hung_so_far(interposed)
    heartbeat = interposed.partition("lwk1")["heartbeat"]
    for name in ("host", "lwk0"):
        interposed.fault(name, "pause")
    # By then lwk1 has answered so many probes that those that are paused would have been given up.
    interposed.wait_for(
        lambda _: interposed.partition("lwk1")["heartbeat"] >= heartbeat + 5, "probes of lwk1", 5 * SILENT_S
    )
    assert interposed.partition("host")["paused"]
    assert interposed.partition("lwk0")["paused"]
    assert lives(interposed, "host", "lwk0", "lwk1") == before
    for name in ("host", "lwk0"):
        interposed.fault(name, "continue")
    run_again(interposed, "lwk0")
    assert lives(interposed, "host", "lwk0", "lwk1") == before
    assert hung_so_far(interposed) == hung
    assert [each["partition"] for each in logged(interposed, "pause")][-2:] == ["host", "lwk0"]


def hung_so_far(enclave: Enclave) -> int:
    return sum(each["state"] == "HUNG" for each in enclave.events("state"))


# ---- doorbells ----


def test_message_whose_doorbell_is_lost_comes_through_in_the_end(interposed: Enclave) -> None:
    with interposed.doorbell_faults("host", "lwk0", CONTROL, drop=1.0):
        report = ping(interposed, "lwk0", 2)
    # By the monitor's probe, which is a doorbell too.
    assert (report["sent"], report["answered"]) == (2, 2)
    assert len(logged(interposed, "doorbell dropped")) >= 2


def test_stream_is_whole_though_doorbells_are_lost_late_and_doubled(interposed: Enclave) -> None:
    with interposed.doorbell_faults(drop=0.02, duplicate=0.2, delay_s=0.002, seed=5):
        for direction in ("--to", "--from"):
            words = ("ikcctl", "stream", "lwk0", direction, "--count", "300", "--seed", "3", "--json")
            report = json.loads(interposed.host.succeed(*words, deadline_s=120))
            assert (report["fault"], report["messages"]) == (None, 300)


def test_same_seed_gives_the_same_faults(interposed: Enclave) -> None:
    def faults() -> list[tuple[int, str]]:
        already = len(logged(interposed, "doorbell d"))
        with interposed.doorbell_faults("lwk1", "lwk0", 5, drop=0.25, duplicate=0.25, seed=99):
            assert interposed.storm("lwk1", "lwk0", 5, rate=2000, seconds=0.2) == 400
        return [(each["n"], each["fault"]) for each in logged(interposed, "doorbell d")[already:]]

    first = faults()
    assert 100 < len(first) < 250
    assert faults() == first


@pytest.mark.parametrize("vector", [CONTROL, DATA])
def test_storm_disturbs_nobody(interposed: Enclave, vector: int) -> None:
    before = lives(interposed, "host", "lwk0", "lwk1")
    with ThreadPoolExecutor() as threads:
        storm = threads.submit(interposed.storm, "lwk1", "lwk0", vector, 5000, 1)
        assert ping(interposed, "lwk0", 10)["answered"] == 10
        assert storm.result() == 5000
    assert lives(interposed, "host", "lwk0", "lwk1") == before
    assert logged(interposed, "storm over")[-1]["count"] == 5000


def test_rules_are_shown_with_what_they_did_and_need_interposing(
    interposed: Enclave, duo: Enclave, duo_command: CommandLine
) -> None:
    command = CommandLine(interposed.run.runtime)

    def doorbells(*words: str) -> str:
        done = command("fault", "doorbells", "-e", interposed.name, *words)
        assert done.returncode == 0, done.stderr
        return done.stdout.decode()

    doorbells("--from", "host", "--to", "lwk1", "--vector", "0", "--duplicate", "1")
    assert ping(interposed, "lwk1", 3)["answered"] == 3
    (rule,) = json.loads(doorbells("--list", "--json"))
    assert rule["duplicated"] == rule["met"] >= 3
    assert "lwk1" in doorbells("--clear")
    assert doorbells("--list") == "no rules\n"

    refused = duo_command("fault", "doorbells", "-e", duo.name, "--drop", "1/2")
    assert refused.returncode == 2
    assert b"enclave up --interpose SPEC" in refused.stderr


# ---- the region ----


@pytest.mark.parametrize("group", GROUPS)
def test_nonsense_of_one_kernel_harms_no_other(interposed: Enclave, group: str) -> None:
    before = lives(interposed, "host", "lwk1")
    with ThreadPoolExecutor() as threads:
        scribble = threads.submit(interposed.scribble, "lwk0", group, seed=7, seconds=0.5)
        # While lwk0 is talked to, so that its words are read.
        interposed.host.run("ikcctl", "stream", "lwk0", "--to", "--count", "200", deadline_s=60)
        count = scribble.result()
    assert count == 5000
    assert ping(interposed, "lwk1", 3)["answered"] == 3
    assert lives(interposed, "host", "lwk1") == before
    interposed.restart("lwk0")
    run_again(interposed, "lwk0")
    assert lives(interposed, "host", "lwk1") == before
    over = logged(interposed, "scribble over")[-1]
    assert (over["partition"], over["group"], over["seed"], over["count"]) == ("lwk0", group, 7, count)
