# SPDX-License-Identifier: Apache-2.0
"""Several enclaves at once, by the same user and even of the same spec, collide in nothing."""

import json
from dataclasses import replace
from pathlib import Path

import pytest

from orchestrator import ssh
from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from orchestrator.run import RunFolder
from orchestrator.selection import find_host
from tests.e2e.conftest import ROOT, CommandLine


def test_two_enclaves_of_one_spec_started_at_once(command: CommandLine) -> None:
    starting = [command.start("up", "specs/solo.yaml", "--name", name, "--json") for name in ("one", "two")]
    ended = [process.communicate(timeout=120) for process in starting]
    assert [process.returncode for process in starting] == [0, 0], ended
    one, two = (json.loads(stdout) for stdout, _ in ended)
    assert one["ssh"]["port"] != two["ssh"]["port"]
    assert one["run_id"] != two["run_id"]

    # Each host talks to its own LWK, and a key of one run does not open the other's host.
    for name in ("one", "two"):
        text = command("exec", "-e", name, "host", "--", "ikcctl", "stream", "lwk0", "--to", "--count", "500")
        assert b"all in order" in text.stdout, text.stderr
    stranger = replace(ssh.Endpoint.of_partition(find_host(two)), key=Path(one["ssh"]["key"]))
    with pytest.raises(ssh.SshError, match="Authentication failed"):
        ssh.connect(stranger)

    # The end of one is nothing to the other.
    assert command("status").returncode == 2
    assert command("down", "one").returncode == 0
    assert command("ping", "lwk0", "-c", "2").returncode == 0
    assert RunFolder("two", command.runtime).is_running()


def test_death_in_one_enclave_does_not_reach_another(duo: Enclave, enclave_factory: EnclaveFactory) -> None:
    before = duo.status()
    with enclave_factory(ROOT / "specs" / "solo.yaml") as solo:
        solo.fault("lwk0", "panic")
        solo.wait_for_state("lwk0", "PANICKED")
        solo.fault("host", "kill")
    after = duo.status()
    for was, now in zip(before["partitions"], after["partitions"], strict=True):
        assert (now["state"], now["incarnation"], now["pid"]) == ("READY", was["incarnation"], was["pid"])
    duo.host.succeed("ikcctl", "ping", "lwk0", "-c", "2", "-W", "30")
