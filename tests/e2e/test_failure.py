# SPDX-License-Identifier: Apache-2.0
"""Partitions that die, panic, hang and come back, while the others go on."""

import os
import re
import signal

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import CommandLine

NOTICED_WITHIN_S = 30.0
BACK_WITHIN_S = 60.0


def others_run(duo: Enclave, victim: str) -> bool:
    """Whether host and the remaining LWK still answer each other."""
    survivor = {"lwk0": "lwk1", "lwk1": "lwk0"}[victim]
    return duo.host.run("ikcctl", "ping", survivor, "-c", "2", "-W", "30").status == 0


def link_runs(duo: Enclave, lwk: str) -> None:
    duo.wait_for(
        lambda status: all(each["links"].get(lwk, "RUN") == "RUN" for each in status["partitions"]),
        f"links to {lwk} RUN",
        BACK_WITHIN_S,
    )
    duo.host.succeed("ikcctl", "ping", lwk, "-c", "2", "-W", "30")


def generation(duo: Enclave, lwk: str) -> str:
    """Incarnation and life that the LWK's end of the host's link is in."""
    rows = re.findall(rf"^{lwk} +RUN +RUN +\S+ +(\S+)", duo.host.succeed("ikcctl", "status"), re.MULTILINE)
    assert len(rows) == 1
    return str(rows[0])


def test_killed_qemu_is_told_of_the_others_go_on_and_it_comes_back(duo: Enclave) -> None:
    before = generation(duo, "lwk0")
    incarnation = duo.partition("lwk0")["incarnation"]
    os.kill(duo.partition("lwk0")["pid"], signal.SIGKILL)
    dead = duo.wait_for_state("lwk0", "EXITED", NOTICED_WITHIN_S)
    assert dead["reason"] == "QEMU was killed by signal 9 (SIGKILL)"
    assert dead["pid"] is None
    assert others_run(duo, "lwk0")

    back = duo.restart("lwk0")
    assert (
        next(each for each in back["partitions"] if each["name"] == "lwk0")["incarnation"] == incarnation + 1
    )
    link_runs(duo, "lwk0")
    assert generation(duo, "lwk0") != before


def test_link_to_a_dead_partition_goes_down(duo: Enclave, duo_command: CommandLine) -> None:
    duo.fault("lwk1", "kill")
    duo.wait_for(
        lambda status: all(
            each["links"]["lwk1"] != "RUN" for each in status["partitions"] if each["name"] != "lwk1"
        ),
        "links to lwk1 not RUN",
        NOTICED_WITHIN_S,
    )
    done = duo.host.run("ikcctl", "ping", "lwk1", "-c", "1", "-W", "1")
    assert done.status == 1
    for words in (["ping", "lwk1"], ["exec", "lwk1", "--", "true"]):
        refused = duo_command(words[0], "-e", duo.name, *words[1:])
        assert refused.returncode == 4
        assert b"`enclave restart lwk1` boots it again" in refused.stderr


def test_panic_leaves_the_others_untouched_and_its_log_readable(duo: Enclave) -> None:
    duo.fault("lwk0", "panic")
    panicked = duo.wait_for_state("lwk0", "PANICKED", NOTICED_WITHIN_S)
    assert "panic asked for by the monitor" in panicked["reason"]
    assert others_run(duo, "lwk0")
    log = duo.log("lwk0")
    assert "panic asked for by the monitor" in log
    frames = re.findall(r"([a-z_]+)\+0x[0-9a-f]+$", log.partition("backtrace:")[2], re.MULTILINE)
    assert {"ikc_mailbox_look", "irq_dispatch", "trap_dispatch"} <= set(frames)
    assert duo.host.succeed("ikcctl", "log", "lwk0") == log

    duo.restart("lwk0")
    link_runs(duo, "lwk0")


def test_hung_kernel_is_found_out_and_restarted(duo: Enclave) -> None:
    duo.fault("lwk1", "hang")
    hung = duo.wait_for_state("lwk1", "HUNG", BACK_WITHIN_S)
    assert "did not answer" in hung["reason"]
    assert others_run(duo, "lwk1")
    duo.restart("lwk1")
    link_runs(duo, "lwk1")


def test_kernel_restarts_itself_when_asked_to_on_the_same_id(duo: Enclave) -> None:
    before = duo.partition("lwk0")
    duo.client.command("lwk0", "restart")
    after = duo.wait_for(
        lambda status: any(
            each["name"] == "lwk0"
            and each["incarnation"] == before["incarnation"] + 1
            and each["state"] == "READY"
            for each in status["partitions"]
        ),
        "lwk0 READY in its next life",
        BACK_WITHIN_S,
    )
    lwk0 = next(each for each in after["partitions"] if each["name"] == "lwk0")
    # The same QEMU: it was reset, not replaced.
    assert (lwk0["index"], lwk0["pid"]) == (before["index"], before["pid"])
    link_runs(duo, "lwk0")


def test_kernel_that_shuts_down_is_exited_and_not_failed(duo: Enclave) -> None:
    duo.client.command("lwk1", "shutdown")
    assert duo.wait_for_state("lwk1", "EXITED", BACK_WITHIN_S)["reason"] == "powered off"
    assert others_run(duo, "lwk1")


@pytest.mark.parametrize("way", ["kill", "panic"])
def test_host_dies_and_comes_back(duo: Enclave, way: str) -> None:
    heartbeats = {each["name"]: each["incarnation"] for each in duo.status()["partitions"]}
    duo.fault("host", way)
    duo.wait_for(
        lambda status: status["partitions"][0]["state"] in ("EXITED", "PANICKED"),
        "host dead",
        NOTICED_WITHIN_S,
    )
    duo.restart("host")
    link_runs(duo, "lwk0")
    link_runs(duo, "lwk1")
    lives = {each["name"]: each["incarnation"] for each in duo.status()["partitions"]}
    assert lives == heartbeats | {"host": heartbeats["host"] + 1}


def test_many_restarts_leave_links_that_run(duo: Enclave) -> None:
    for _ in range(5):
        duo.restart("lwk0")
        duo.restart("lwk1")
    link_runs(duo, "lwk0")
    link_runs(duo, "lwk1")
    text = duo.host.succeed("ikcctl", "stream", "lwk0", "--to", "--count", "500")
    assert "all in order" in text
