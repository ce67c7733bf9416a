# SPDX-License-Identifier: Apache-2.0
"""Two Linuxes and an LWK: whatever the host has, the other Linux has too."""

import json
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory, Linux
from tests.e2e.conftest import ROOT, CommandLine

PORT = 300


@pytest.fixture(scope="module")
def twins(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(ROOT / "specs" / "twins.yaml") as enclave:
        yield enclave


def test_both_linuxes_answer_over_ssh_and_are_not_the_same(twins: Enclave) -> None:
    command = CommandLine(twins.run.runtime)
    names = [command("exec", "-e", twins.name, each, "--", "hostname").stdout for each in ("host", "twin")]
    assert names == [b"host\n", b"twin\n"]
    shell = command("ssh", "-e", twins.name, "-p", "twin", "--", "nproc; exit 3")
    assert (shell.returncode, shell.stdout) == (3, b"2\n")
    refused = command("ssh", "-e", twins.name, "-p", "lwk0", "--", "true")
    assert refused.returncode == 2
    assert b"lwk0 runs no Linux" in refused.stderr


def test_each_linux_pings_every_other_partition(twins: Enclave) -> None:
    for name, peers in (("host", ("twin", "lwk0")), ("twin", ("host", "lwk0"))):
        for peer in peers:
            words = ("ikcctl", "ping", peer, "-c", "3", "-W", "30", "--json")
            report = json.loads(twins.linux(name).succeed(*words))
            assert (report["sent"], report["answered"]) == (3, 3), (name, peer)


def test_streams_between_the_second_linux_and_the_lwk(twins: Enclave) -> None:
    for direction in ("--to", "--from"):
        text = twins.linux("twin").succeed("ikcctl", "stream", "lwk0", direction, "--count", "1000")
        assert "all in order, none lost, none twice, checksums right" in text


@pytest.mark.parametrize(("sender", "receiver"), [("host", "twin"), ("twin", "host")])
def test_message_goes_from_one_linux_to_the_other(twins: Enclave, sender: str, receiver: str) -> None:
    words = ("ikcctl", "receive", str(PORT), "--count", "1", "--timeout", "30", "--json")
    with ThreadPoolExecutor() as threads:
        receiving = threads.submit(twins.linux(receiver).succeed, *words)
        # Until it listens, what is sent there is refused.
        while not receiving.done():
            send(twins.linux(sender), receiver, f"from {sender}")
        message = json.loads(receiving.result().splitlines()[0])
    assert message["from"] == sender, message
    assert f"from {sender}" in json.dumps(message)


def send(linux: Linux, peer: str, text: str) -> None:
    linux.succeed("ikcctl", "send", peer, str(PORT), "--text", text)


def test_second_linux_comes_back_as_itself(twins: Enclave) -> None:
    before = twins.partition("host")
    twins.fault("twin", "kill")
    twins.wait_for_state("twin", "EXITED")
    twins.host.succeed("ikcctl", "ping", "lwk0", "-c", "1", "-W", "30")
    twins.restart("twin")
    assert twins.linux("twin").succeed("hostname") == "twin\n"
    twins.wait_for(lambda _: twins.partition("host")["links"]["twin"] == "RUN", "host's link to twin RUN")
    twins.host.succeed("ikcctl", "ping", "twin", "-c", "1", "-W", "30")
    after = twins.partition("host")
    assert (after["pid"], after["incarnation"]) == (before["pid"], before["incarnation"])
