# SPDX-License-Identifier: Apache-2.0
"""Channels of Linux: what programs are promised (ikc_uapi.h), and streams, also between two Linuxes."""

import json
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from orchestrator.pytest_plugin import Enclave, EnclaveFactory
from tests.e2e.conftest import HERE, ROOT, install

PROGRAM = "/tmp/ikc_channels"
PEER = "lwk0"
PROMISES = [
    "messages",
    "lent",
    "refusals",
    "all-in-use",
    "closed-at-once",
    "port-of-two",
    "cpus",
    "many-programs",
]
WITHIN_S = 30.0


@pytest.fixture(scope="module")
def program(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """programs/ikc_channels.c, for the host."""
    made = tmp_path_factory.mktemp("programs") / "ikc_channels"
    folders = (ROOT / "guest-kernels/ikc", ROOT / "guest-kernels/linux/include")
    include = [f"-I{folder}" for folder in folders]
    source = HERE / "programs" / "ikc_channels.c"
    subprocess.run(
        ["gcc", "-std=gnu11", "-O1", "-static", "-Wall", "-Wextra", *include, "-o", made, source], check=True
    )
    return made


@pytest.fixture
def host(duo: Enclave, program: Path) -> Enclave:
    install(duo, program, PROGRAM)
    return duo


def peer_number(enclave: Enclave) -> str:
    return str(enclave.partition(PEER)["index"])


def channels(enclave: Enclave) -> list[dict[str, object]]:
    return [json.loads(line) for line in enclave.host.succeed("ikcctl", "channels", "--json").splitlines()]


@pytest.mark.parametrize("promise", PROMISES)
def test_channels_keep_their_promise_of(promise: str, host: Enclave) -> None:
    host.host.succeed(PROGRAM, promise, peer_number(host))


def test_channels_of_programs_that_ended_are_free_again(host: Enclave) -> None:
    host.wait_for(lambda _: channels(host) == [], "all channels to be free", WITHIN_S)


def test_restart_of_a_peer_ends_its_channels_for_good(host: Enclave) -> None:
    said = "/tmp/ikc_channels.said"
    run = f"({PROGRAM} reset {peer_number(host)}; echo ended with $?) >{said} 2>&1 &"
    host.host.succeed("sh", "-c", run)
    host.host.succeed("sh", "-c", f"until grep -qs 'restart it now' {said}; do usleep 10000; done")
    host.restart(PEER)
    host.host.succeed("sh", "-c", f"until grep -qs 'ended with' {said}; do usleep 10000; done")
    assert host.host.succeed("cat", said).splitlines() == ["restart it now", "ended with 0"]


@pytest.mark.parametrize("direction", ["--to", "--from"])
def test_stream_over_a_channel(direction: str, duo: Enclave) -> None:
    words = ("ikcctl", "stream", PEER, direction, "--channel", "--count", "5000", "--seed", "11", "--json")
    result = json.loads(duo.host.succeed(*words))
    assert result["fault"] is None
    assert result["messages"] == 5000


def test_all_channels_stream_at_once(duo: Enclave) -> None:
    script = """
        for i in 1 2 3 4 5 6 7 8; do
            for lwk in lwk0 lwk1; do
                ikcctl stream $lwk --to --channel --count 500 --seed $i & pids="$pids $!"
                ikcctl stream $lwk --from --channel --count 500 --seed $i & pids="$pids $!"
            done
        done
        for pid in $pids; do wait $pid || exit 1; done
    """
    lines = duo.host.succeed("sh", "-c", script).splitlines()
    assert len([line for line in lines if "all in order, none lost, none twice" in line]) == 32


# ---- between two Linuxes ----


@pytest.fixture(scope="module")
def twins(enclave_factory: EnclaveFactory) -> Iterator[Enclave]:
    with enclave_factory(ROOT / "specs" / "twins.yaml") as enclave:
        enclave.linux("twin").succeed("sh", "-c", "ikcctl serve >/tmp/served 2>&1 &")
        yield enclave


@pytest.mark.parametrize("words", ["--to", "--from", "--to --channel", "--from --channel"])
def test_stream_between_two_linuxes(words: str, twins: Enclave) -> None:
    said = twins.host.succeed("ikcctl", "stream", "twin", *words.split(), "--count", "3000")
    assert "all in order, none lost, none twice" in said


def test_programs_of_two_linuxes_speak_over_channels(twins: Enclave, program: Path) -> None:
    for promise in ("messages", "lent", "refusals", "all-in-use", "many-programs"):
        install(twins, program, PROGRAM)
        twins.host.succeed(PROGRAM, promise, str(twins.partition("twin")["index"]))


def test_service_that_was_killed_ends_its_channels(twins: Enclave) -> None:
    stream = "ikcctl stream twin --from --channel --count 10000000"
    said = "/tmp/cut"
    twins.host.succeed("sh", "-c", f"({stream}; echo ended with $?) >{said} 2>&1 &")
    twins.wait_for(lambda _: channels(twins) != [], "the stream's channel", WITHIN_S)
    twins.linux("twin").succeed("pidof", "ikcctl")
    twins.linux("twin").run("killall", "-9", "ikcctl")  # one may have ended with another, and is missed then
    twins.host.succeed("sh", "-c", f"until grep -qs 'ended with' {said}; do usleep 10000; done")
    assert "twin has closed the channel" in twins.host.succeed("cat", said)
    twins.wait_for(lambda _: channels(twins) == [], "all channels to be free", WITHIN_S)
