# SPDX-License-Identifier: Apache-2.0
"""Messages through shared memory: each way, of mixed sizes up to the largest, numbered and with checksums."""

import json
from typing import Any

import pytest

from orchestrator.pytest_plugin import Enclave
from tests.e2e.conftest import CommandLine

MESSAGES = 10_000


@pytest.mark.parametrize("direction", ["--to", "--from"])
@pytest.mark.parametrize("lwk", ["lwk0", "lwk1"])
def test_ten_thousand_messages_arrive_whole_in_order_and_once(duo: Enclave, lwk: str, direction: str) -> None:
    words = ("ikcctl", "stream", lwk, direction, "--count", str(MESSAGES), "--seed", "7", "--json")
    report = json.loads(duo.host.succeed(*words))
    assert report["fault"] is None
    assert report["messages"] == MESSAGES
    # One in 64 is empty, one in 64 as large as can be, the others in between: far more than headers.
    assert report["bytes"] > MESSAGES // 64 * 4096 + MESSAGES * 100


def test_streams_both_ways_with_both_lwks_do_not_disturb_each_other(duo: Enclave) -> None:
    script = """
        for lwk in lwk0 lwk1; do
            ikcctl stream $lwk --to --count 2000 & pids="$pids $!"
            ikcctl stream $lwk --from --count 2000 & pids="$pids $!"
        done
        for pid in $pids; do wait $pid || exit 1; done
    """
    text = duo.host.succeed("sh", "-c", script)
    assert text.count("all in order, none lost, none twice, checksums right") == 4


def test_ping_is_answered_by_every_lwk(duo_command: CommandLine, duo: Enclave) -> None:
    for lwk in ("lwk0", "lwk1"):
        done = duo_command("ping", "-e", duo.name, lwk, "-c", "3", "--json")
        assert done.returncode == 0, done.stderr
        report = json.loads(done.stdout)
        assert (report["peer"], report["sent"], report["answered"]) == (lwk, 3, 3)


def test_links_run_between_all_partitions(duo: Enclave) -> None:
    wanted = {
        "host": {"lwk0": "RUN", "lwk1": "RUN"},
        "lwk0": {"host": "RUN", "lwk1": "RUN"},
        "lwk1": {"host": "RUN", "lwk0": "RUN"},
    }

    def all_run(status: dict[str, Any]) -> bool:
        return {each["name"]: each["links"] for each in status["partitions"]} == wanted

    duo.wait_for(all_run, "all links RUN")
